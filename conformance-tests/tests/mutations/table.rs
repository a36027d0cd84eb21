//! What is broken, and which case has to notice.

use crate::head::Head;

/// What is known of an upload.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) length: Option<u64>,
    pub(crate) offset: u64,
}

/// How the gateway is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// As it comes.
    Usual,
    /// Uploads live for seconds.
    ShortLives,
}

/// One thing that a server could do wrong.
pub(crate) struct Mutation {
    /// What the server does.
    pub(crate) name: &'static str,
    /// The case that has to fail.
    pub(crate) noticed_by: &'static str,
    pub(crate) setting: Setting,
    /// Whether bodies are kept back until they are whole.
    pub(crate) buffers: bool,
    /// Changes a request, knowing what is known of its upload.
    pub(crate) request: fn(&mut Head, &Seen),
    /// Changes an answer, knowing the request.
    pub(crate) answer: fn(&Head, &mut Head),
}

/// Nothing is broken.
pub(crate) const SOUND: Mutation = Mutation {
    name: "nothing is broken",
    noticed_by: "",
    setting: Setting::Usual,
    buffers: false,
    request: |_, _| {},
    answer: |_, _| {},
};

const fn answer(
    name: &'static str,
    noticed_by: &'static str,
    answer: fn(&Head, &mut Head),
) -> Mutation {
    Mutation { name, noticed_by, answer, ..SOUND }
}

const fn request(
    name: &'static str,
    noticed_by: &'static str,
    request: fn(&mut Head, &Seen),
) -> Mutation {
    Mutation { name, noticed_by, request, ..SOUND }
}

/// Every mutation.
pub(crate) const MUTATIONS: &[Mutation] = &[
    answer(
        "the 409 does not tell the offset",
        "a refused offset comes with the right one",
        |_, head| {
            if head.status() == 409 {
                head.remove(|name| name == "upload-offset");
            }
        },
    ),
    request(
        "an offset is accepted that is wrong by one",
        "a patch at another offset is refused and changes nothing",
        |head, upload| {
            let near = |offset: u64| offset.abs_diff(upload.offset) == 1;
            if head.method() == "PATCH" && head.number("Upload-Offset").is_some_and(near) {
                head.set("Upload-Offset", upload.offset);
            }
        },
    ),
    answer("caches may keep the offset", "head forbids caches to store its answer", |_, head| {
        head.remove(|name| name == "cache-control")
    }),
    answer("refusals have no CORS", "refusals can be read by the page", |_, head| {
        if head.status() >= 400 {
            head.remove(|name| name.starts_with("access-control-"));
        }
    }),
    answer(
        "a patch is answered with 200",
        "a patch moves the offset by what it carries",
        |asked, head| {
            if asked.method() == "PATCH" && head.status() == 204 {
                head.become_empty(200);
            }
        },
    ),
    answer(
        "head tells another length",
        "head shows offset and length from begin to end",
        |asked, head| {
            if let ("HEAD", Some(length)) = (asked.method(), head.number("Upload-Length")) {
                head.set("Upload-Length", length + 1);
            }
        },
    ),
    request("checksums are not compared", "a wrong checksum discards the bytes", |head, _| {
        head.remove(|name| name == "upload-checksum")
    }),
    Mutation {
        setting: Setting::ShortLives,
        ..answer("an expired upload takes bytes", "an expired upload is gone", |_, head| {
            if head.status() == 410 {
                head.become_empty(204);
                head.set("Upload-Offset", 3);
            }
        })
    },
    request(
        "bytes past the length are dropped and acknowledged",
        "a complete upload takes no more bytes",
        |head, upload| {
            if let ("PATCH", Some(length), Some(bytes)) =
                (head.method(), upload.length, head.number("Content-Length"))
            {
                head.set("Content-Length", bytes.min(length - upload.offset.min(length)));
            }
        },
    ),
    answer(
        "answers do not name the version",
        "every answer names the protocol version",
        |_, head| head.remove(|name| name == "tus-resumable"),
    ),
    answer("a 412 does not list the versions", "an unsupported version is refused", |_, head| {
        if head.status() == 412 {
            head.remove(|name| name == "tus-version");
        }
    }),
    request(
        "the version of a request is not looked at",
        "a request without a version is refused",
        |head, _| {
            if head.method() != "OPTIONS" {
                head.set("Tus-Resumable", "1.0.0");
            }
        },
    ),
    request("the override is not read", "post can stand for patch", |head, _| {
        head.remove(|name| name == "x-http-method-override")
    }),
    answer(
        "metadata comes back in another order",
        "head returns the metadata as it was sent",
        |_, head| {
            if let Some(metadata) = head.get("Upload-Metadata") {
                let mut pairs: Vec<_> = metadata.split(',').collect();
                pairs.sort_unstable();
                head.set("Upload-Metadata", pairs.join(","));
            }
        },
    ),
    answer(
        "a patch does not tell the expiry",
        "a patch tells when the upload expires",
        |asked, head| {
            if asked.method() == "PATCH" {
                head.remove(|name| name == "upload-expires");
            }
        },
    ),
    answer(
        "a deleted upload is still there",
        "an unfinished upload can be deleted",
        |asked, head| {
            if asked.method() == "HEAD" && head.status() == 404 {
                head.become_empty(200);
                head.set("Upload-Offset", 0);
            }
        },
    ),
    Mutation {
        buffers: true,
        ..answer(
            "what arrived before a cut is lost",
            "a patch that is half-closed keeps what arrived",
            |_, _| {},
        )
    },
    request("ranges are not read", "a range is served by itself", |head, _| {
        head.remove(|name| name == "range");
    }),
    answer(
        "pages are shown in place",
        "pages and scripts are handed out as attachments",
        |_, head| {
            if let Some(shown) = head.get("Content-Disposition") {
                head.set("Content-Disposition", shown.replace("attachment", "inline"));
            }
        },
    ),
    answer("browsers may guess the type", "browsers may not guess the type", |_, head| {
        head.remove(|name| name == "x-content-type-options");
    }),
];
