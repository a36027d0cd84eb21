//! What can be asked for, by protocol: data. A protocol is added by adding its operations here.

/// What an operation is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it makes an upload.
    Nothing,
    /// An upload without its bytes.
    Unfinished,
    /// A finished upload.
    Finished,
}

/// One way of asking for something.
pub(crate) struct Operation {
    /// The verb as which it is authorised; the row of the table.
    pub(crate) verb: &'static str,
    /// What is sent; the row of the table.
    pub(crate) sent: &'static str,
    pub(crate) needs: Needs,
    /// Request line without the version. `{path}` stands for the target with the asker's query,
    /// `{id}` for its last part; `{query}` for the query, `{and}` for it behind another parameter.
    pub(crate) line: &'static str,
    /// Field lines, each with its line break; `{unique}` stands for what was never sent before.
    pub(crate) fields: &'static str,
    pub(crate) body: &'static str,
}

/// A protocol and what can be done with it.
pub(crate) struct Protocol {
    pub(crate) name: &'static str,
    pub(crate) operations: &'static [Operation],
}

const BYTES: &str = "Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
                     Content-Type: application/offset+octet-stream\r\n";
const VERSION: &str = "Tus-Resumable: 1.0.0\r\n";

/// Every protocol, in the order of the page.
pub(crate) const ALL: &[Protocol] = &[
    Protocol {
        name: "tus",
        operations: &[
            Operation {
                verb: "–",
                sent: "OPTIONS",
                needs: Needs::Unfinished,
                line: "OPTIONS {path}",
                fields: "",
                body: "",
            },
            Operation {
                verb: "create",
                sent: "POST",
                needs: Needs::Nothing,
                line: "POST {path}",
                fields: "Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n",
                body: "",
            },
            Operation {
                verb: "create",
                sent: "POST with bytes",
                needs: Needs::Nothing,
                line: "POST {path}",
                fields: "Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\n\
                         Content-Type: application/offset+octet-stream\r\n",
                body: "hello",
            },
            Operation {
                verb: "append",
                sent: "PATCH",
                needs: Needs::Unfinished,
                line: "PATCH {path}",
                fields: BYTES,
                body: "hello",
            },
            Operation {
                verb: "append",
                sent: "POST, overridden",
                needs: Needs::Unfinished,
                line: "POST {path}",
                fields: "X-HTTP-Method-Override: PATCH\r\nTus-Resumable: 1.0.0\r\n\
                         Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n",
                body: "hello",
            },
            Operation {
                verb: "inspect",
                sent: "HEAD",
                needs: Needs::Unfinished,
                line: "HEAD {path}",
                fields: VERSION,
                body: "",
            },
            Operation {
                verb: "terminate",
                sent: "DELETE",
                needs: Needs::Unfinished,
                line: "DELETE {path}",
                fields: VERSION,
                body: "",
            },
            Operation {
                verb: "terminate",
                sent: "OPTIONS, overridden",
                needs: Needs::Unfinished,
                line: "OPTIONS {path}",
                fields: "X-HTTP-Method-Override: DELETE\r\nTus-Resumable: 1.0.0\r\n",
                body: "",
            },
        ],
    },
    Protocol { name: "chunks", operations: CHUNKS },
    Protocol { name: "form", operations: FORM },
    Protocol { name: "download", operations: DOWNLOADS },
];

/// Chunk headers.
const CHUNKS: &[Operation] = &[
    Operation {
        verb: "create",
        sent: "POST",
        needs: Needs::Nothing,
        line: "POST /chunked-upload{query}",
        fields: "X-Filename: a.txt\r\nX-Total-Size: 5\r\n",
        body: "",
    },
    Operation {
        verb: "append, create",
        sent: "PUT of the first chunk",
        needs: Needs::Nothing,
        line: "PUT /chunked-upload{query}",
        fields: "X-Upload-Session-ID: {unique}\r\nX-Filename: a.txt\r\nX-Chunk-Number: 0\r\n\
                 X-Total-Chunks: 1\r\nX-Total-Size: 5\r\n",
        body: "hello",
    },
    Operation {
        verb: "append",
        sent: "PUT of a chunk",
        needs: Needs::Unfinished,
        line: "PUT {path}",
        fields: "X-Chunk-Number: 0\r\nX-Total-Chunks: 1\r\nX-Total-Size: 5\r\n",
        body: "hello",
    },
    Operation {
        verb: "inspect",
        sent: "GET /upload-status",
        needs: Needs::Unfinished,
        line: "GET /upload-status?session_id={id}{and}",
        fields: "",
        body: "",
    },
    Operation {
        verb: "inspect",
        sent: "HEAD of the session",
        needs: Needs::Unfinished,
        line: "HEAD /chunked-upload/{id}{query}",
        fields: "",
        body: "",
    },
    Operation {
        verb: "terminate",
        sent: "DELETE",
        needs: Needs::Unfinished,
        line: "DELETE /chunked-upload/{id}{query}",
        fields: "",
        body: "",
    },
];

/// An HTML form.
const FORM: &[Operation] = &[Operation {
    verb: "create",
    sent: "POST /upload",
    needs: Needs::Nothing,
    line: "POST /upload{query}",
    fields: "Content-Type: multipart/form-data; boundary=b\r\n",
    body: "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n\
           --b--\r\n",
}];

/// What a plain client does with the address of a finished upload.
pub(crate) const DOWNLOADS: &[Operation] = &[
    Operation {
        verb: "download",
        sent: "GET",
        needs: Needs::Finished,
        line: "GET {path}",
        fields: "",
        body: "",
    },
    Operation {
        verb: "inspect or download",
        sent: "HEAD",
        needs: Needs::Finished,
        line: "HEAD {path}",
        fields: "",
        body: "",
    },
];
