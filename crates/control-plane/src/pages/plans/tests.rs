//! The pages of plans and groups, from samples and from a control plane.

mod samples;
mod steering;
mod wizard;

pub(crate) use samples::plan;
