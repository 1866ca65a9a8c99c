//! The examples of RFC 7541 Appendix C, byte for byte: fields, and what is in the table after each block.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use evenkeel_wire::hpack::{Decoder, HeaderLimits, HeaderList, HeaderStore, STATIC_LEN};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap()).collect()
}

/// Fields as `name: value` and whether they are marked never-indexed.
type Fields = Vec<(String, bool)>;

struct Reader {
    decoder: Decoder,
    store: HeaderStore,
}

impl Reader {
    fn new() -> Self {
        Self { decoder: Decoder::default(), store: HeaderStore::new((1, 2), 1 << 20) }
    }

    fn read(&mut self, block: &[u8]) -> Fields {
        let (mut list, limits) = (HeaderList::default(), HeaderLimits::default());
        self.decoder.decode(block, &limits, &mut self.store, &mut list).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let fields = list
            .fields()
            .iter()
            .map(|f| {
                let (name, value) = (list.name_bytes(f, &self.store), list.value(f, &self.store));
                (format!("{}: {}", text(name), text(value)), f.is_sensitive)
            })
            .collect();
        list.clear(&mut self.store);
        fields
    }

    /// The dynamic table, newest first, and its size.
    fn table(&self) -> (Vec<String>, usize) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let entries: Vec<String> = (STATIC_LEN + 1..)
            .map_while(|i| self.decoder.entry(i, &self.store))
            .map(|(name, value)| format!("{}: {}", text(name), text(value)))
            .collect();
        // The two signs between name and value do not count, 32 octets do (§4.1).
        let size = entries.iter().map(|e| e.len() - 2 + 32).sum();
        (entries, size)
    }
}

/// A block, its fields, the table after it and the table's size.
type Step<'a> = (&'a str, &'a [&'a str], &'a [&'a str], usize);

fn check(first: &[u8], steps: &[Step<'_>]) {
    let mut reader = Reader::new();
    for (i, (block, fields, table, size)) in steps.iter().enumerate() {
        let mut bytes = if i == 0 { first.to_vec() } else { Vec::new() };
        bytes.extend(hex(block));
        let expected: Fields = fields.iter().map(|f| ((*f).to_owned(), false)).collect();
        assert_eq!(reader.read(&bytes), expected, "block {}", i + 1);
        assert_eq!(
            reader.table(),
            (table.iter().map(|e| (*e).to_owned()).collect(), *size),
            "after {}",
            i + 1
        );
    }
    reader.decoder.clear(&mut reader.store);
    assert_eq!(reader.store.owned_fields(), 0);
}

#[test]
fn c2_each_representation_alone() {
    check(
        &[],
        &[(
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            &["custom-key: custom-header"],
            &["custom-key: custom-header"],
            55,
        )],
    );
    check(&[], &[("040c 2f73 616d 706c 652f 7061 7468", &[":path: /sample/path"], &[], 0)]);
    check(&[], &[("82", &[":method: GET"], &[], 0)]);
    let never = Reader::new().read(&hex("1008 7061 7373 776f 7264 0673 6563 7265 74"));
    assert_eq!(never, [("password: secret".to_owned(), true)]);
}

const REQUESTS: [(&[&str], &[&str], usize); 3] = [
    (
        &[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
        &[":authority: www.example.com"],
        57,
    ),
    (
        &[
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache",
        ],
        &["cache-control: no-cache", ":authority: www.example.com"],
        110,
    ),
    (
        &[
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value",
        ],
        &["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"],
        164,
    ),
];

fn check_all(first: &[u8], blocks: [&str; 3], expected: [(&[&str], &[&str], usize); 3]) {
    let steps: Vec<Step<'_>> = blocks
        .iter()
        .zip(expected)
        .map(|(block, (fields, table, size))| (*block, fields, table, size))
        .collect();
    check(first, &steps);
}

#[test]
fn c3_requests_without_huffman() {
    let blocks = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    check_all(&[], blocks, REQUESTS);
}

#[test]
fn c4_requests_with_huffman() {
    let blocks = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    check_all(&[], blocks, REQUESTS);
}

/// The examples' table of 256 octets, as a size update before the first block.
const TABLE_OF_256: &[u8] = &[0x3f, 0xe1, 0x01];

const COOKIE: &str = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

const RESPONSES: [(&[&str], &[&str], usize); 3] = [
    (
        &[
            ":status: 302",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        &[
            "location: https://www.example.com",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "cache-control: private",
            ":status: 302",
        ],
        222,
    ),
    (
        &[
            ":status: 307",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "location: https://www.example.com",
        ],
        &[
            ":status: 307",
            "location: https://www.example.com",
            "date: Mon, 21 Oct 2013 20:13:21 GMT",
            "cache-control: private",
        ],
        222,
    ),
    (
        &[
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            "location: https://www.example.com",
            "content-encoding: gzip",
            COOKIE,
        ],
        &[COOKIE, "content-encoding: gzip", "date: Mon, 21 Oct 2013 20:13:22 GMT"],
        215,
    ),
];

#[test]
fn c5_responses_without_huffman_and_with_evictions() {
    let blocks = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 \
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 \
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 \
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ];
    check_all(TABLE_OF_256, blocks, RESPONSES);
}

#[test]
fn c6_responses_with_huffman_and_with_evictions() {
    let blocks = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad \
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 \
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    check_all(TABLE_OF_256, blocks, RESPONSES);
}
