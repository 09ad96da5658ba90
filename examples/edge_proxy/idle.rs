//! Connections over HTTP/2 on which nothing is asked any more. Over HTTP/1.1 hyper looks after them.

use std::time::Duration;

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt as _;
use tokio::sync::watch;

/// How many requests of a connection are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(watch::Sender<usize>);

/// A request that is under way until this is dropped.
pub(crate) struct Busy(watch::Sender<usize>);

impl Activity {
    pub(crate) fn begin(&self) -> Busy {
        self.0.send_modify(|requests| *requests += 1);
        Busy(self.0.clone())
    }

    /// Waits until for so long no request has been under way. `true` if there ever was one.
    pub(crate) async fn idle(&self, longest: Duration) -> bool {
        let mut requests = self.0.subscribe();
        let mut asked = false;
        loop {
            if *requests.borrow_and_update() == 0 {
                tokio::select! {
                    () = tokio::time::sleep(longest) => return asked,
                    _ = requests.changed() => {}
                }
            } else {
                // The sender is in `self`, so this is no error.
                let _ = requests.changed().await;
            }
            asked = true;
        }
    }
}

impl Busy {
    /// The request is under way until its answer has been sent.
    pub(crate) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            if http_body::Body::is_end_stream(&body) {
                return body;
            }
            Body::new(body.map_frame(move |frame| {
                let _until = &self;
                frame
            }))
        })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}
