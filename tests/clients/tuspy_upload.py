"""Uploads a file with tuspy and prints the upload's URL.

usage: tuspy_upload.py ENDPOINT FILE CHUNK_SIZE [STOP_AT [URL]]

Every request carries the checksum of its body. With STOP_AT the upload ends at that offset;
with URL it continues an upload that an earlier process began.
"""

import sys

from tusclient.client import TusClient


def main(endpoint, path, chunk_size, stop_at=None, url=None):
    uploader = TusClient(endpoint).uploader(
        path,
        chunk_size=int(chunk_size),
        metadata={"filename": "from tuspy"},
        upload_checksum=True,
        url=url,
    )
    uploader.upload(stop_at=int(stop_at) if stop_at else None)
    print(uploader.url, uploader.offset)


main(*sys.argv[1:])
