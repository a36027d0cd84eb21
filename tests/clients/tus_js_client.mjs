// tus-js-client under Node, with a record of every request it made.

import { Upload } from 'tus-js-client';
import { decimal } from './tus.mjs';

// Enough patience for a server that is being restarted, and no exponential waiting in a test.
const RETRY_DELAYS = Array(200).fill(50);

/**
 * One upload, possibly continued by several `Upload` objects.
 *
 * `exchanges` holds, in order, `{ method, status, requestOffset, offset, headers }` of every
 * answered request; `sent()` is called for each answered HEAD and its result kept as `sentBefore`.
 */
export class RecordedUpload {
  #upload;
  #finish;

  exchanges = [];

  /** Resolves when the upload is complete, rejects when the client gives up. */
  finished;

  constructor(source, options, sent = () => undefined) {
    this.finished = new Promise((resolve, reject) => {
      this.#finish = { resolve, reject };
    });
    // Tests that fail earlier never look at it.
    this.finished.catch(() => {});
    this.options = {
      retryDelays: RETRY_DELAYS,
      onAfterResponse: (request, response) => this.#record(request, response, sent()),
      onSuccess: () => this.#finish.resolve(),
      onError: (error) => this.#finish.reject(error),
      ...options,
    };
    this.#upload = new Upload(source, this.options);
  }

  get url() {
    return this.#upload.url;
  }

  start() {
    this.#upload.start();
    return this;
  }

  /** Runs to the end. */
  async run() {
    this.start();
    await this.finished;
    return this;
  }

  /** Ends what the client is doing; with `terminate`, it also asks the server to delete the upload. */
  abort(terminate = false) {
    return this.#upload.abort(terminate);
  }

  /** Throws the client away and goes on with a new one, which knows only the URL. */
  replaceClient(source) {
    const uploadUrl = this.#upload.url;
    this.#upload.abort();
    this.#upload = new Upload(source, { ...this.options, uploadUrl });
    this.#upload.start();
  }

  /** The answered requests of one method. */
  of(method) {
    return this.exchanges.filter((each) => each.method === method);
  }

  #record(request, response, sentBefore) {
    this.exchanges.push({
      method: request.getMethod(),
      status: response.getStatus(),
      requestOffset: decimal(String(request.getHeader('Upload-Offset'))),
      overridden: request.getHeader('X-HTTP-Method-Override'),
      offset: decimal(response.getHeader('Upload-Offset')),
      url: request.getURL(),
      sentBefore,
    });
  }
}
