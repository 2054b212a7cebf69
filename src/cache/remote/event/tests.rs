use std::sync::Mutex;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Bucket, key and version of a changed object.
type Changed<'a> = (&'a str, &'a str, Option<&'a str>);

fn parse(json: &Value) -> Result<S3Event, InvalidEvent> {
    S3Event::parse(json.to_string().as_bytes())
}

fn changed(event: &S3Event) -> Vec<Changed<'_>> {
    event.changed().iter().map(|c| (c.bucket().as_str(), c.key().as_str(), c.version_id())).collect()
}

/// A record with everything that S3 writes.
fn record(event_name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-west-2",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": event_name,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9KG"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "to-the-cache",
            "bucket": {
                "name": "studio-media",
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::studio-media"
            },
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                "sequencer": "0055AED6DCD90281E5"
            }
        }
    })
}

fn records(records: &[Value]) -> Value {
    json!({ "Records": records })
}

fn put(key: &str) -> Value {
    records(&[record("ObjectCreated:Put", key)])
}

/// An event on EventBridge with everything that S3 writes.
fn bridged(detail_type: &str, key: &str) -> Value {
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-west-2",
        "resources": ["arn:aws:s3:::studio-media"],
        "detail": {
            "version": "0",
            "event-version": "1.0",
            "bucket": {"name": "studio-media"},
            "object": {
                "key": key,
                "size": 5,
                "etag": "b1946ac92492d2347c6235b4d2611184",
                "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
                "sequencer": "617f08299329d189"
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "source-ip-address": "192.0.2.7",
            "reason": "PutObject"
        }
    })
}

fn sns(message: &Value) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "da41e39f-ea4d-435a-b922-c6aae3915ebe",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:media-changed",
        "Subject": "Amazon S3 Notification",
        "Message": message.to_string(),
        "Timestamp": "2026-01-02T03:04:06.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEpH+DcEwjAPg8O9mY8dReBSwksfg2S7WKQcikcNKWLQjwu6A4VbeS0QHVCkhRS7fUQvi2egU3N858fiTDN6bkkOxYDVrY0Ad8L10Hs3zH81mtnPk5uvvolIC1CXGu43obcgFxeL3khZl8IKvO61GWB6jI9b5+gLPoBc1Q=",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-example.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=example"
    })
}

fn sns_of(kind: &str) -> Value {
    json!({
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37f",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:media-changed",
        "Message": "You have chosen to subscribe to the topic. To confirm, visit the SubscribeURL.",
        "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37f",
        "Timestamp": "2026-01-02T03:04:06.000Z",
        "SignatureVersion": "1"
    })
}

/// A message as in the response of SQS's `ReceiveMessage`.
fn sqs(body: &Value) -> Value {
    json!({
        "MessageId": "219f8380-5770-4cc2-8c3e-5c715e145f5e",
        "ReceiptHandle": "AQEBaZ+j5qUoOAoxlmrCQPkBm9njMWXqemmIG6shMHCO6fV20JrQYg",
        "MD5OfBody": "fafb00f5732ab283681e124bf8747ed1",
        "Body": body.to_string()
    })
}

/// The same as Lambda passes it on.
fn lambda_sqs(body: &Value) -> Value {
    json!({ "messageId": "219f8380", "body": body.to_string(), "eventSource": "aws:sqs", "awsRegion": "us-west-2" })
}

const S3_VERSION: Option<&str> = Some("096fKKXTRTtl3on89fVO.nfljtsv6qko");
const BRIDGED_VERSION: Option<&str> = Some("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e");

#[test]
fn every_envelope_is_opened() {
    let by_s3 = ("studio-media", "red flower.jpg", S3_VERSION);
    let by_bridge = ("studio-media", "red+flower.jpg", BRIDGED_VERSION);
    let s3 = put("red+flower.jpg");
    let bridge = bridged("Object Created", "red+flower.jpg");
    for (name, event, expected) in [
        ("S3", s3.clone(), vec![by_s3]),
        ("EventBridge", bridge.clone(), vec![by_bridge]),
        ("SNS", sns(&s3), vec![by_s3]),
        ("EventBridge in SNS", sns(&bridge), vec![by_bridge]),
        ("SQS", sqs(&s3), vec![by_s3]),
        ("SNS in SQS", sqs(&sns(&s3)), vec![by_s3]),
        ("a list", json!([s3, bridge]), vec![by_s3, by_bridge]),
        ("a response of SQS", json!({"Messages": [sqs(&bridge), sqs(&sns(&s3))]}), vec![by_bridge, by_s3]),
        ("SQS by Lambda", records(&[lambda_sqs(&s3), lambda_sqs(&sns(&bridge))]), vec![by_s3, by_bridge]),
        (
            "SNS by Lambda",
            records(&[json!({"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns(&s3)})]),
            vec![by_s3],
        ),
        ("a text in JSON", json!(s3.to_string()), vec![by_s3]),
        ("no records", records(&[]), vec![]),
        ("nothing", json!([]), vec![]),
    ] {
        assert_eq!(changed(&parse(&event).unwrap()), expected, "{name}");
    }
}

#[test]
fn only_what_changes_an_object_counts() {
    for (event_name, counts) in [
        ("ObjectCreated:Put", true),
        ("ObjectCreated:CompleteMultipartUpload", true),
        ("s3:ObjectCreated:Copy", true),
        ("ObjectRemoved:Delete", true),
        ("ObjectRemoved:DeleteMarkerCreated", true),
        ("ObjectRestore:Completed", true),
        ("ObjectRestore:Delete", true),
        ("ObjectTagging:Put", true),
        ("ObjectAcl:Put", true),
        ("LifecycleExpiration:Delete", true),
        ("LifecycleExpiration:DeleteMarkerCreated", true),
        ("s3:ObjectLifecycle:Expiration:Current", true),
        ("LifecycleTransition", false),
        ("IntelligentTiering", false),
        ("Replication:OperationMissedThreshold", false),
        ("ReducedRedundancyLostObject", false),
        ("s3:ObjectAccessed:Get", false),
        ("ObjectCreatedNot:Put", false),
        ("", false),
    ] {
        let event = parse(&records(&[record(event_name, "a")])).unwrap();
        assert_eq!(!event.changed().is_empty(), counts, "{event_name}");
    }
    for (detail_type, counts) in [
        ("Object Created", true),
        ("Object Deleted", true),
        ("Object Restore Initiated", true),
        ("Object Restore Completed", true),
        ("Object Restore Expired", true),
        ("Object Tags Added", true),
        ("Object Tags Deleted", true),
        ("Object ACL Updated", true),
        ("Object Storage Class Changed", false),
        ("Object Access Tier Changed", false),
        ("EC2 Instance State-change Notification", false),
    ] {
        let event = parse(&bridged(detail_type, "a")).unwrap();
        assert_eq!(!event.changed().is_empty(), counts, "{detail_type}");
    }
}

#[test]
fn what_tells_of_no_object_is_skipped() {
    for event in [
        json!({
            "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-02T03:04:05.678Z",
            "Bucket": "studio-media", "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3e"
        }),
        sns(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "studio-media"})),
        sns_of("UnsubscribeConfirmation"),
        records(&[json!({"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {}}), json!(1)]),
        json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        json!({"detail-type": 1}),
    ] {
        assert_eq!(parse(&event).unwrap(), S3Event::default(), "{event}");
    }
}

#[test]
fn subscriptions_are_told_and_hinder_nothing() {
    let url = "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37f";
    let event = parse(&sns_of("SubscriptionConfirmation")).unwrap();
    assert_eq!((event.subscribe_urls(), event.changed()), (&[url.to_owned()][..], &[][..]));

    let event = parse(&json!([sqs(&sns_of("SubscriptionConfirmation")), sqs(&sns(&put("a")))])).unwrap();
    assert_eq!(event.subscribe_urls(), [url]);
    assert_eq!(changed(&event), [("studio-media", "a", S3_VERSION)]);
}

#[test]
fn keys_of_records_are_decoded_once_as_forms_are() {
    for (encoded, key) in [
        ("this+im+%2B+age+blah.txt", Some("this im + age blah.txt")),
        ("a%2Fb/c", Some("a/b/c")),
        ("10%3A47%3A07.log", Some("10:47:07.log")),
        ("a%252Fb", Some("a%2Fb")),
        ("%C3%BC/%F0%9F%98%80", Some("ü/😀")),
        ("ü", Some("ü")),
        ("100%", Some("100%")),
        // No request can name these.
        ("../a", None),
        ("a/%2E%2E/b", None),
        ("%00", None),
    ] {
        let event = parse(&put(encoded)).unwrap();
        let keys: Vec<_> = event.changed().iter().map(|changed| changed.key().as_str()).collect();
        assert_eq!(keys, Vec::from_iter(key), "{encoded}");
    }
}

#[test]
fn keys_of_ceph_are_read_both_ways() {
    for (key, expected) in [("a", &["a"][..]), ("a+b", &["a+b", "a b"]), ("100%/%ff", &["100%/%ff"])] {
        let mut record = record("ObjectCreated:Put", key);
        record["eventSource"] = json!("ceph:s3");
        let event = parse(&records(&[record])).unwrap();
        let keys: Vec<_> = event.changed().iter().map(|changed| changed.key().as_str()).collect();
        assert_eq!(keys, expected, "{key}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let without = |pointer: &str, name: &str| {
        let mut event = put("a");
        event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        event.to_string()
    };
    let deep = (0..9).fold(put("a"), |event, _| json!([event]));
    let bucket = put("a").to_string().replace("studio-media", "studio/media");
    for (json, message) in [
        (String::new(), "the event, or one inside it, is not JSON"),
        ("{".to_owned(), "the event, or one inside it, is not JSON"),
        ("\"Hello\"".to_owned(), "the event, or one inside it, is not JSON"),
        (sns(&put("a")).to_string().replace("{\\\"Records", "<"), "the event, or one inside it, is not JSON"),
        ("{}".to_owned(), "not an event of S3, EventBridge, SNS, SQS or R2"),
        ("1".to_owned(), "not an event of S3, EventBridge, SNS, SQS or R2"),
        ("[null]".to_owned(), "not an event of S3, EventBridge, SNS, SQS or R2"),
        (r#"{"Event": "other"}"#.to_owned(), "not an event of S3, EventBridge, SNS, SQS or R2"),
        (r#"{"Records": {}}"#.to_owned(), "the event lacks a list at /Records"),
        (r#"{"Type": "Notification"}"#.to_owned(), "the event lacks a text at /Message"),
        (r#"{"Type": "SubscriptionConfirmation"}"#.to_owned(), "the event lacks a text at /SubscribeURL"),
        (without("/Records/0", "eventName"), "the event lacks a text at /eventName"),
        (without("/Records/0/s3", "bucket"), "the event lacks a text at /s3/bucket/name"),
        (without("/Records/0/s3/object", "key"), "the event lacks a text at /s3/object/key"),
        (
            bridged("Object Created", "a").to_string().replace("\"key\":\"a\"", "\"key\":1"),
            "the event lacks a text at /detail/object/key",
        ),
        (put("").to_string(), "the event has no valid key"),
        (put("%ff").to_string(), "the event has no valid key"),
        (bucket, "the event has no valid bucket name"),
        (deep.to_string(), "the event is enveloped more than 8 times"),
        ("[".repeat(100_000), "the event, or one inside it, is not JSON"),
    ] {
        let error = S3Event::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message, "{json:.200}");
    }
}

#[test]
fn envelopes_may_be_as_many_as_can_be_met_with() {
    let list = json!([{"Messages": [sqs(&sns(&json!([put("a")])))]}]);
    assert_eq!(parse(&list).unwrap().changed().len(), 1);
}

#[test]
fn a_purge_is_of_each_object_that_changed() {
    struct Recorder(Mutex<Vec<(PurgeTarget, PurgeMode)>>);

    impl Purger for Recorder {
        fn purge(&self, target: &PurgeTarget, mode: PurgeMode) -> usize {
            self.0.lock().unwrap().push((target.clone(), mode));
            2
        }
    }

    let event =
        parse(&records(&[record("ObjectCreated:Put", "a"), record("ObjectRemoved:Delete", "b")])).unwrap();
    let recorder = Recorder(Mutex::default());
    assert_eq!(event.purge(&recorder, PurgeMode::Soft), 4);
    let target = |key| PurgeTarget::Object {
        bucket: BucketName::parse("studio-media").unwrap(),
        key: ObjectKey::new(key).unwrap(),
    };
    assert_eq!(
        recorder.0.into_inner().unwrap(),
        [(target("a"), PurgeMode::Soft), (target("b"), PurgeMode::Soft)]
    );
}

/// The characters that S3 encodes; it leaves slashes as they are.
const ENCODED_BY_S3: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// JSON of the names and texts that the parser looks for.
fn event_like() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "Records",
        "s3",
        "eventName",
        "eventSource",
        "bucket",
        "name",
        "object",
        "key",
        "versionId",
        "detail-type",
        "detail",
        "Type",
        "Message",
        "SubscribeURL",
        "Messages",
        "Body",
        "body",
        "Sns",
        "Event",
    ]);
    let text = prop::sample::select(vec![
        "ObjectCreated:Put",
        "Object Created",
        "Notification",
        "SubscriptionConfirmation",
        "s3:TestEvent",
        "ceph:s3",
        "media",
        "a+b%2",
        "{}",
        "[]",
        "{\"Records\":[]}",
        "\"{\"",
        "",
    ]);
    let leaf = prop_oneof![text.prop_map(Value::from), Just(Value::Null), any::<u8>().prop_map(Value::from)];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner.clone()), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(json in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = S3Event::parse(&json);
    }

    #[test]
    fn no_json_makes_it_panic(event in event_like()) {
        let _ = parse(&event);
    }

    #[test]
    fn keys_come_back_from_every_encoding(key in "\\PC{1,100}") {
        let by_s3 = utf8_percent_encode(&key, ENCODED_BY_S3).to_string().replace(' ', "+");
        let in_full = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string();
        for event in [put(&by_s3), put(&in_full), sns(&put(&by_s3)), bridged("Object Created", &key)] {
            let event = parse(&event).unwrap();
            let expected = ObjectKey::new(key.as_str()).ok();
            prop_assert_eq!(event.changed().first().map(ChangedObject::key), expected.as_ref());
        }
    }
}

/// An event notification of R2 with everything that it writes.
fn r2(action: &str, key: &str) -> Value {
    json!({
        "account": "3f4b7e3dcab231cbfdaa90a6a28bd548",
        "action": action,
        "bucket": "studio-media",
        "object": {"key": key, "size": 65536, "eTag": "c846ff7a18f28c2e262116d6e8719ef0"},
        "eventTime": "2026-01-02T03:04:05.678Z"
    })
}

#[test]
fn every_notification_of_r2_is_a_change_and_its_key_is_not_encoded() {
    for action in ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "LifecycleDeletion"]
    {
        for key in ["a/b.jpg", "red+flower 100%.jpg", "%41"] {
            let event = parse(&r2(action, key)).unwrap();
            assert_eq!(changed(&event), [("studio-media", key, None)], "{action}");
        }
    }
    // What DeleteObject leaves out, and what CopyObject adds.
    let mut copied = r2("CopyObject", "to");
    copied["copySource"] = json!({"bucket": "studio-archive", "object": "from"});
    assert_eq!(changed(&parse(&copied).unwrap()), [("studio-media", "to", None)]);
    let mut deleted = r2("DeleteObject", "a");
    deleted["object"] = json!({"key": "a"});
    assert_eq!(changed(&parse(&deleted).unwrap()), [("studio-media", "a", None)]);
}

#[test]
fn notifications_of_r2_come_in_lists_and_in_messages_of_queues() {
    let (one, other) = (r2("PutObject", "a"), r2("DeleteObject", "b"));
    let both = [("studio-media", "a", None), ("studio-media", "b", None)];
    for json in [
        json!([one, other]),
        json!({"messages": [{"body": one, "attempts": 1}, {"body": other.to_string()}]}),
    ] {
        assert_eq!(changed(&parse(&json).unwrap()), both, "{json}");
    }
}

#[test]
fn a_notification_of_r2_that_lacks_something_says_what() {
    for (field, message) in [("bucket", "/bucket"), ("object", "SQS or R2"), ("action", "SQS or R2")] {
        let mut event = r2("PutObject", "a");
        event.as_object_mut().unwrap().remove(field);
        let why = parse(&event).unwrap_err().to_string();
        assert!(why.contains(message), "{field}: {why}");
    }
    let mut event = r2("PutObject", "a");
    event["object"] = json!({});
    assert!(parse(&event).unwrap_err().to_string().contains("/object/key"));
}
