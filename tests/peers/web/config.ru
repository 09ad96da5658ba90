# Answers with the header that the environment names, as Rack tells of it.
key = "HTTP_" + ENV.fetch("NAME").upcase.tr("-", "_")
run ->(env) { [200, { "content-type" => "text/plain" }, [env.fetch(key, "")]] }
