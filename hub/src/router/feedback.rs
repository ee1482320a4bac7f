//! Results back to the national systems until they have confirmed them.
