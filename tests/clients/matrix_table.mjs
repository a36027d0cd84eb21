// Prints the client matrix: node matrix_table.mjs FILE, where the tests have left one line per field.

import { readFile } from 'node:fs/promises';
import { CASES, MATRIX_CLIENTS } from './matrix_axes.mjs';

const lines = (await readFile(process.argv[2], 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
const clients = MATRIX_CLIENTS.filter((client) => lines.some((line) => line.client === client));
const rows = [['', ...clients]];
for (const which of CASES) {
  const found = clients.map((client) => lines.filter((line) => line.client === client && line.case === which));
  if (found.some((tests) => tests.length > 0)) {
    rows.push([which, ...found.map(outcome)]);
  }
  if (found.flat().some((line) => line.again !== undefined)) {
    rows.push(['  sent again', ...found.map(again)]);
  }
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
for (const [first, ...rest] of rows) {
  const fields = rest.map((field, column) => field.padStart(widths[column + 1]));
  console.log([first.padEnd(widths[0]), ...fields].join('  ').trimEnd());
}
console.log(`
sent again: what the reset destroyed on its way (another amount each time); with a checksum also the body that
was cut. Chromium repeats a request by itself after a reset, so there a refused body (409) is added.`);

// Several tests may be one field.
function outcome(tests) {
  if (tests.length === 0) {
    return '–';
  }
  const seconds = tests.reduce((sum, each) => sum + each.seconds, 0);
  return tests.every((each) => each.ok) ? `ok ${seconds.toFixed(1)} s` : 'FAILED';
}

function again(tests) {
  const measured = tests.map((each) => each.again).filter((bytes) => bytes !== undefined);
  return measured.length === 0 ? '' : size(Math.max(...measured));
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${Math.round(bytes / 1024)} KiB`;
}
