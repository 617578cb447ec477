//! The engine: it knows when, in which order and how often, and the name of no plugin.
//!
//! A [`plan::Plan`] holds built plugins in their wrappers; [`pipeline::Pipeline`] runs it on
//! threads. Pure parts stand alone: [`schedule`] knows when rounds are due, [`filter`] what
//! passes, [`buffer`] what waits.

pub mod activity;
pub mod buffer;
mod chance;
pub mod dead_letters;
pub mod filter;
mod guard;
pub mod health;
mod input_thread;
pub mod intake;
mod junction;
mod late;
pub mod metricpass;
pub mod naming;
pub mod options;
mod output_thread;
pub mod pipeline;
pub mod plan;
pub mod replay;
pub mod running_aggregator;
pub mod running_input;
pub mod running_output;
pub mod running_processor;
pub mod schedule;
pub mod startup;
pub mod state_file;
pub mod status;
mod watch;
