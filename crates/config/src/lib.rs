//! What is written to one valid model, every mistake with its place.
