"""One upload with tuspy, as in the other clients of the matrix (see matrix.test.mjs).

usage: tuspy_client.py ENDPOINT FILE NAME STATE [--remember] [--checksum]

tuspy keeps the URL in STATE, so the same command continues what an earlier process began.
"""

import sys

from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage


def main(endpoint, path, name, state, *wishes):
    checksum = "--checksum" in wishes
    # Without a chunk size the whole file is one request, and read into memory at once.
    sizes = {"chunk_size": 4 * 1024 * 1024} if checksum else {}
    uploader = TusClient(endpoint).uploader(
        path,
        metadata={"filename": name},
        retries=5,
        retry_delay=0.2,
        store_url=True,
        url_storage=FileStorage(state),
        upload_checksum=checksum,
        **sizes,
    )
    uploader.upload()
    print(uploader.url)


main(*sys.argv[1:])
