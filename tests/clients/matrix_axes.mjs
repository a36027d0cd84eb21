// The rows and columns of the client matrix, in the order in which they are printed.

export const MATRIX_CLIENTS = ['tus-js-client', 'in Chromium', 'Uppy', 'tuspy', 'aiotus', 'tus-uploader', 'curl'];

export const CASES = [
  'upload', // the bytes arrive
  'name', // a name that is not ASCII arrives and is served
  'cut', // a reset in the middle of a body
  'killed', // the process (in a browser: the tab) killed in the middle of a body
  'reloaded', // the page reloaded in the middle of a body; it remembers the file
  'chosen again', // the same, and the user chooses the same file again
  'paused', // paused and resumed by the user
  'retried', // the gateway was away for longer than the client had patience; the user retries
  'parallel', // in parallel parts, concatenated
  'checksum', // a checksum in the head of each PATCH, and a cut
  'trailer', // a checksum behind each body
  'many', // 20 files at once, with two cuts
  'finished', // a finished file chosen again
];
