//! JPEG files: their segments, whether all of their image data are there, and their pixels in the colours that
//! libjpeg gives them.

mod colours;
pub(crate) mod decode;
mod huffman;
mod progressive;
pub(crate) mod scans;
pub(crate) mod segments;
