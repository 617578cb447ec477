//! `ListGroups`, `DescribeGroups` and `ConsumerGroupDescribe`: groups, their states and members.

use std::collections::BTreeSet;

use super::{Decoded, Decoder, Refusal, bare_refusal, refusal};
use crate::kafka::wire::encode::Encoder;
use crate::kafka::wire::request::{Api, Heads, Request};

/// Asks a broker for the groups that it looks after.
pub(in crate::kafka::wire) struct ListGroups;

/// A group as the broker lists it that looks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub name: String,
    /// The broker that looks after it.
    pub coordinator: i32,
    /// What its members share: `consumer` for partitions, `connect` for connectors; empty where
    /// offsets were committed without members.
    pub protocol: String,
    /// Its state, such as `Stable` or `Empty`.
    pub state: String,
    /// By which rules it is kept together.
    pub kind: GroupKind,
}

/// By which rules a group is kept together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupKind {
    /// Its members agree among themselves.
    Classic,
    /// The brokers assign partitions (KIP-848).
    Consumer,
    /// Any other, such as `share` or `streams`, in lower case.
    Other(String),
}

impl GroupKind {
    fn of(name: &str) -> GroupKind {
        match name.to_ascii_lowercase().as_str() {
            "" | "classic" => GroupKind::Classic,
            "consumer" => GroupKind::Consumer,
            other => GroupKind::Other(other.to_owned()),
        }
    }

    /// The word for it.
    pub fn name(&self) -> &str {
        match self {
            GroupKind::Classic => "classic",
            GroupKind::Consumer => "consumer",
            GroupKind::Other(name) => name,
        }
    }
}

impl Request for ListGroups {
    /// Groups whose coordinator is not filled in yet: it is the broker that was asked.
    type Answer = Result<Vec<ListedGroup>, Refusal>;

    const API: Api =
        Api { key: 16, name: "ListGroups", versions: 4..=5, since: "2.6", heads: Heads::Tagged };

    fn encode(&self, version: i16, out: &mut Encoder) {
        let any: [&str; 0] = [];
        out.array(&any, |out, state| out.string(state));
        if version >= 5 {
            out.array(&any, |out, kind| out.string(kind));
        }
        out.no_tags();
    }

    fn decode(version: i16, answer: &mut Decoder<'_>) -> Decoded<Self::Answer> {
        let _throttled_ms = answer.int32()?;
        let refused = bare_refusal(answer)?;
        let groups = answer.array(|answer| {
            let group = ListedGroup {
                name: answer.string()?,
                coordinator: -1,
                protocol: answer.string()?,
                state: answer.string()?,
                kind: match version {
                    5.. => GroupKind::of(&answer.string()?),
                    _ => GroupKind::Classic,
                },
            };
            answer.skip_tags()?;
            Ok(group)
        })?;
        Ok(refused.map_or(Ok(groups), Err))
    }
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The name that its client has given itself.
    pub client_id: String,
    /// Where it has connected from.
    pub client_host: String,
    /// The partitions that it owns, each with its topic.
    pub owned: BTreeSet<(String, i32)>,
}

/// Asks the broker that looks after classic groups for their members.
pub(in crate::kafka::wire) struct DescribeGroups<'g>(pub(in crate::kafka::wire) Vec<&'g str>);

/// Groups, each with its name and described or refused.
pub(in crate::kafka::wire) type Descriptions = Vec<(String, Result<GroupDescription, Refusal>)>;

impl Request for DescribeGroups<'_> {
    type Answer = Descriptions;

    const API: Api = Api {
        key: 15,
        name: "DescribeGroups",
        versions: 5..=5,
        since: "2.4",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.array(&self.0, |out, group| out.string(group));
        let operations = false;
        out.boolean(operations);
        out.no_tags();
    }

    fn decode(_: i16, answer: &mut Decoder<'_>) -> Decoded<Descriptions> {
        let _throttled_ms = answer.int32()?;
        answer.array(|answer| {
            let refused = bare_refusal(answer)?;
            let name = answer.string()?;
            let state = answer.string()?;
            let protocol = answer.string()?;
            answer.skip_string()?;
            let members = answer.array(|answer| classic_member(answer, &protocol))?;
            let _operations = answer.int32()?;
            answer.skip_tags()?;
            let description = GroupDescription { name: name.clone(), state, members };
            Ok((name, refused.map_or(Ok(description), Err)))
        })
    }
}

fn classic_member(answer: &mut Decoder<'_>, protocol: &str) -> Decoded<GroupMember> {
    answer.skip_string()?;
    answer.skip_string()?;
    let (client_id, client_host) = (answer.string()?, answer.string()?);
    let _subscription = answer.nullable_bytes()?;
    let assignment = answer.nullable_bytes()?.unwrap_or_default();
    answer.skip_tags()?;
    // What members of other protocols say to each other is their own affair.
    let owned = match protocol {
        "consumer" => assigned(assignment).unwrap_or_default(),
        _ => BTreeSet::new(),
    };
    Ok(GroupMember { client_id, client_host, owned })
}

/// Reads what the leader of a classic group has assigned to a member: a version, and topics with
/// partitions, in the older forms. A member that was assigned nothing yet has nothing at all.
fn assigned(bytes: &[u8]) -> Decoded<BTreeSet<(String, i32)>> {
    let mut assignment = Decoder::new(bytes);
    let mut owned = BTreeSet::new();
    let _version = assignment.int16()?;
    for _ in 0..assignment.int32()? {
        let topic = assignment.plain_string()?;
        for _ in 0..assignment.int32()? {
            owned.insert((topic.clone(), assignment.int32()?));
        }
    }
    Ok(owned)
}

/// Asks the broker that looks after groups of KIP-848 for their members.
pub(in crate::kafka::wire) struct ConsumerGroupDescribe<'g>(
    pub(in crate::kafka::wire) Vec<&'g str>,
);

impl Request for ConsumerGroupDescribe<'_> {
    type Answer = Descriptions;

    const API: Api = Api {
        key: 69,
        name: "ConsumerGroupDescribe",
        versions: 0..=1,
        since: "3.7",
        heads: Heads::Tagged,
    };

    fn encode(&self, _: i16, out: &mut Encoder) {
        out.array(&self.0, |out, group| out.string(group));
        let operations = false;
        out.boolean(operations);
        out.no_tags();
    }

    fn decode(version: i16, answer: &mut Decoder<'_>) -> Decoded<Descriptions> {
        let _throttled_ms = answer.int32()?;
        answer.array(|answer| {
            let refused = refusal(answer)?;
            let name = answer.string()?;
            let state = answer.string()?;
            let (_epoch, _assignment_epoch) = (answer.int32()?, answer.int32()?);
            answer.skip_string()?;
            let members = answer.array(|answer| assigned_member(answer, version))?;
            let _operations = answer.int32()?;
            answer.skip_tags()?;
            let description = GroupDescription { name: name.clone(), state, members };
            Ok((name, refused.map_or(Ok(description), Err)))
        })
    }
}

fn assigned_member(answer: &mut Decoder<'_>, version: i16) -> Decoded<GroupMember> {
    // Its id, that of a static member, and its rack.
    (0..3).try_for_each(|_| answer.skip_string())?;
    let _epoch = answer.int32()?;
    let (client_id, client_host) = (answer.string()?, answer.string()?);
    answer.skip_array(Decoder::skip_string)?;
    // The pattern that it has subscribed to.
    answer.skip_string()?;
    let owned = owned(answer)?;
    let _to_be_owned = self::owned(answer)?;
    if version >= 1 {
        let _kind = answer.int8()?;
    }
    answer.skip_tags()?;
    Ok(GroupMember { client_id, client_host, owned })
}

fn owned(answer: &mut Decoder<'_>) -> Decoded<BTreeSet<(String, i32)>> {
    let mut owned = BTreeSet::new();
    answer.skip_array(|answer| {
        answer.skip_uuid()?;
        let topic = answer.string()?;
        owned.extend(answer.int32s()?.into_iter().map(|number| (topic.clone(), number)));
        answer.skip_tags()
    })?;
    answer.skip_tags()?;
    Ok(owned)
}
