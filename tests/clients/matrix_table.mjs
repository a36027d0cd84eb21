// Prints the client matrix: node matrix_table.mjs FILE, where the tests have left one line per field.

import { readFile } from 'node:fs/promises';
import { CASES, MATRIX_CLIENTS } from './matrix_axes.mjs';

const lines = (await readFile(process.argv[2], 'utf8')).trim().split('\n').map((line) => JSON.parse(line));
const clients = MATRIX_CLIENTS.filter((client) => lines.some((line) => line.client === client));
const rows = [['', ...clients]];
for (const which of CASES) {
  const found = clients.map((client) => lines.find((line) => line.client === client && line.case === which));
  if (found.some(Boolean)) {
    rows.push([which, ...found.map(outcome)]);
  }
  if (found.some((line) => line?.again !== undefined)) {
    rows.push(['  sent again', ...found.map((line) => (line?.again === undefined ? '' : size(line.again)))]);
  }
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
for (const [first, ...rest] of rows) {
  const fields = rest.map((field, column) => field.padStart(widths[column + 1]));
  console.log([first.padEnd(widths[0]), ...fields].join('  ').trimEnd());
}
console.log('sent again: mostly what the reset destroyed on its way; with a checksum also the body that was cut');

function outcome(line) {
  if (line === undefined) {
    return '–';
  }
  return line.ok ? `ok ${line.seconds.toFixed(1)} s` : 'FAILED';
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${Math.round(bytes / 1024)} KiB`;
}
