// One upload with tus-js-client in a Node process, as in the other clients of the matrix.
//
// usage: node tus_js_client.mjs ENDPOINT FILE NAME STATE [--remember] [--parallel]
//
// tus-js-client keeps the URL in STATE, so the same command continues what an earlier process began.

import { createReadStream } from 'node:fs';
import { FileUrlStorage, Upload } from 'tus-js-client';

const [endpoint, file, filename, state, ...wishes] = process.argv.slice(2);
const upload = new Upload(createReadStream(file), {
  endpoint,
  metadata: { filename },
  retryDelays: [100, 200, 400, 800, 1600],
  urlStorage: new FileUrlStorage(state),
  removeFingerprintOnSuccess: true,
  parallelUploads: wishes.includes('--parallel') ? 4 : 1,
  onSuccess: () => console.log(upload.url),
  onError: (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
});
const [previous] = await upload.findPreviousUploads();
if (previous) {
  upload.resumeFromPreviousUpload(previous);
}
upload.start();
