//! What a client of the library does, by the library's own numbers.
//!
//! # References
//! librdkafka's `STATISTICS.md`.

use std::collections::HashMap;

use serde::Deserialize;

/// Numbers of a client. What is summed up begins with the client; what is on its way is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientStatistics {
    /// Requests sent to brokers, and their bytes.
    pub requests: u64,
    /// The bytes of the requests.
    pub request_bytes: u64,
    /// Answers that came from brokers.
    pub responses: u64,
    /// The bytes of the answers.
    pub response_bytes: u64,
    /// Records written, or read.
    pub records: u64,
    /// The bytes of their keys, values and headers.
    pub record_bytes: u64,
    /// Records that wait in the client to be written.
    pub queued_records: u64,
    /// Their bytes.
    pub queued_bytes: u64,
    /// Requests that wait to be sent, and those whose answer has not come.
    pub outstanding_requests: u64,
    /// Requests that failed, either way.
    pub request_errors: u64,
    /// Requests that were sent again.
    pub request_retries: u64,
    /// Requests that were not answered in time.
    pub request_timeouts: u64,
    /// Connections that were lost or closed.
    pub disconnects: u64,
    /// How long a broker takes to answer, on average over all of them since the last report.
    pub rtt_avg_us: u64,
    /// The longest that one took.
    pub rtt_max_us: u64,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    msg_cnt: u64,
    #[serde(default)]
    msg_size: u64,
    #[serde(default)]
    tx: u64,
    #[serde(default)]
    tx_bytes: u64,
    #[serde(default)]
    rx: u64,
    #[serde(default)]
    rx_bytes: u64,
    #[serde(default)]
    txmsgs: u64,
    #[serde(default)]
    txmsg_bytes: u64,
    #[serde(default)]
    rxmsgs: u64,
    #[serde(default)]
    rxmsg_bytes: u64,
    #[serde(default)]
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    #[serde(default)]
    outbuf_cnt: i64,
    #[serde(default)]
    waitresp_cnt: i64,
    #[serde(default)]
    txerrs: u64,
    #[serde(default)]
    rxerrs: u64,
    #[serde(default)]
    txretries: u64,
    #[serde(default)]
    req_timeouts: u64,
    #[serde(default)]
    disconnects: u64,
    #[serde(default)]
    rtt: Window,
}

/// Times of a report's interval, in microseconds.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Window {
    max: i64,
    sum: i64,
    cnt: i64,
}

impl ClientStatistics {
    /// Reads a report of the library; nothing if it is none.
    pub(super) fn parse(json: &[u8]) -> Option<ClientStatistics> {
        let report: Report = serde_json::from_slice(json).ok()?;
        let mut statistics = ClientStatistics {
            requests: report.tx,
            request_bytes: report.tx_bytes,
            responses: report.rx,
            response_bytes: report.rx_bytes,
            // A client either writes or reads.
            records: report.txmsgs + report.rxmsgs,
            record_bytes: report.txmsg_bytes + report.rxmsg_bytes,
            queued_records: report.msg_cnt,
            queued_bytes: report.msg_size,
            ..ClientStatistics::default()
        };
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let (mut sum_us, mut count) = (0, 0);
        for broker in report.brokers.values() {
            let outstanding = unsigned(broker.outbuf_cnt) + unsigned(broker.waitresp_cnt);
            statistics.outstanding_requests += outstanding;
            statistics.request_errors += broker.txerrs + broker.rxerrs;
            statistics.request_retries += broker.txretries;
            statistics.request_timeouts += broker.req_timeouts;
            statistics.disconnects += broker.disconnects;
            statistics.rtt_max_us = statistics.rtt_max_us.max(unsigned(broker.rtt.max));
            sum_us += unsigned(broker.rtt.sum);
            count += unsigned(broker.rtt.cnt);
        }
        statistics.rtt_avg_us = sum_us.checked_div(count).unwrap_or(0);
        Some(statistics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_brokers_are_added_up() {
        let json = br#"{"name":"x","type":"producer","msg_cnt":3,"msg_size":300,"tx":10,"tx_bytes":1000,
            "rx":9,"rx_bytes":400,"txmsgs":7,"txmsg_bytes":700,"rxmsgs":0,"rxmsg_bytes":0,"brokers":{
            "a:1/1":{"outbuf_cnt":1,"waitresp_cnt":2,"txerrs":1,"rxerrs":2,"txretries":3,"req_timeouts":4,
                "disconnects":1,"rtt":{"min":1,"max":500,"avg":200,"sum":1000,"cnt":5}},
            "b:2/bootstrap":{"outbuf_cnt":-1,"waitresp_cnt":0,"rtt":{"max":100,"sum":200,"cnt":1}}}}"#;
        let expected = ClientStatistics {
            requests: 10,
            request_bytes: 1_000,
            responses: 9,
            response_bytes: 400,
            records: 7,
            record_bytes: 700,
            queued_records: 3,
            queued_bytes: 300,
            outstanding_requests: 3,
            request_errors: 3,
            request_retries: 3,
            request_timeouts: 4,
            disconnects: 1,
            rtt_avg_us: 200,
            rtt_max_us: 500,
        };
        assert_eq!(ClientStatistics::parse(json), Some(expected));
        assert_eq!(ClientStatistics::parse(b"{}"), Some(ClientStatistics::default()));
        assert_eq!(ClientStatistics::parse(b"no json"), None);
    }
}
