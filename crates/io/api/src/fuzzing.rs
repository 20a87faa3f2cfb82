//! What the fuzz targets call. No part of the interface.

use crate::{
    reply::{Event, Reply},
    routes::{ROUTES, request_of},
};

/// What a program of this machine could send: the first byte names the route, and behind it comes the body. The same bytes as
/// values of the path and of the query, and as what a daemon answers.
pub fn request(data: &[u8]) {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let route = &ROUTES[usize::from(*first) % ROUTES.len()];
    drop(request_of(route, [].into_iter(), [].into_iter(), body));
    let text = String::from_utf8_lossy(body);
    let path = (route.path.split('/')).filter_map(|segment| {
        let field = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some((field, &*text))
    });
    let query = route.query.iter().map(|(field, _)| (*field, &*text));
    drop(request_of(route, path, query, b""));
    drop(serde_json::from_slice::<Reply>(body));
    drop(serde_json::from_slice::<Event>(body));
}
