//! Lists of bytes in a message, written and read at once instead of byte by byte. On the wire they are the same.

use serde::{Deserialize as _, Deserializer, Serializer};
use serde_bytes::{ByteBuf, Bytes};

pub(crate) fn serialize<S: Serializer>(list: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(list.iter().map(|bytes| Bytes::new(bytes)))
}

pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let list = Vec::<ByteBuf>::deserialize(from)?;
    Ok(list.into_iter().map(ByteBuf::into_vec).collect())
}

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Now(#[serde(with = "super")] Vec<Vec<u8>>);

    #[test]
    fn hosts_that_write_byte_by_byte_and_those_that_do_not_understand_one_another() {
        let list = vec![Vec::new(), vec![0, 127, 128, 255], vec![7; 300]];
        let before = postcard::to_stdvec(&list).unwrap();
        let now = Now(list);
        assert_eq!(postcard::to_stdvec(&now).unwrap(), before);
        assert_eq!(postcard::from_bytes::<Now>(&before).unwrap(), now);
        for cut in 0..before.len() {
            assert!(postcard::from_bytes::<Now>(&before[..cut]).is_err());
        }
    }
}
