<?php
// Answers with the header that the environment names, as PHP tells of it.
header("Content-Type: text/plain");
echo $_SERVER["HTTP_" . strtoupper(strtr(getenv("NAME") ?: $_SERVER["NAME"], "-", "_"))] ?? "";
