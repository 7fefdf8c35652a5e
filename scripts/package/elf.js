/** As much of an executable's format (ELF, 64 bit, little endian) as it takes to see what it needs and to leave out its symbols. */

const HEADER_SIZE = 64;
const SHF_ALLOC = 2n;
const SHT_NOBITS = 8;
const SHT_DYNAMIC = 6;
const SHT_GNU_VERNEED = 0x6ffffffe;
const DT_NEEDED = 1n;

/**
 * @typedef {object} Section
 * @property {number} type
 * @property {bigint} flags
 * @property {number} offset
 * @property {number} size
 * @property {number} link
 * @property {Buffer} header
 */

/**
 * @param {Buffer} file
 * @returns {Section[]}
 */
function sections(file) {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) throw new Error("not a 64-bit ELF file");
  const start = Number(file.readBigUInt64LE(40));
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const header = file.subarray(start + index * HEADER_SIZE, start + (index + 1) * HEADER_SIZE);
    return {
      type: header.readUInt32LE(4),
      flags: header.readBigUInt64LE(8),
      offset: Number(header.readBigUInt64LE(24)),
      size: Number(header.readBigUInt64LE(32)),
      link: header.readUInt32LE(40),
      header,
    };
  });
}

/** @param {Buffer} file @param {Section | undefined} table @param {number} at */
function text(file, table, at) {
  const start = (table?.offset ?? 0) + at;
  return file.toString("latin1", start, file.indexOf(0, start));
}

/**
 * The shared libraries that it needs, and the versions of their symbols.
 *
 * @param {Buffer} file
 * @returns {{ libraries: string[], versions: string[] }}
 */
export function needs(file) {
  const all = sections(file);
  const libraries = [];
  const dynamic = all.find(({ type }) => type === SHT_DYNAMIC);
  for (let at = dynamic?.offset ?? 0, end = at + (dynamic?.size ?? 0); at < end; at += 16) {
    if (file.readBigInt64LE(at) !== DT_NEEDED) continue;
    libraries.push(text(file, all[dynamic?.link ?? 0], Number(file.readBigUInt64LE(at + 8))));
  }
  const versions = [];
  const needed = all.find(({ type }) => type === SHT_GNU_VERNEED);
  for (let at = needed?.offset ?? 0, next = needed === undefined ? 0 : 1; next !== 0; at += next) {
    next = file.readUInt32LE(at + 12);
    for (let one = at + file.readUInt32LE(at + 8), more = 1; more !== 0; one += more) {
      more = file.readUInt32LE(one + 12);
      versions.push(text(file, all[needed?.link ?? 0], file.readUInt32LE(one + 8)));
    }
  }
  return { libraries, versions };
}

/**
 * The same without symbols and notes for debuggers, which stand behind everything that is loaded: a seventh of Node.
 *
 * @param {Buffer} file
 */
export function withoutSymbols(file) {
  const all = sections(file);
  const names = all[file.readUInt16LE(62)];
  const last = all.findLastIndex(({ flags }) => (flags & SHF_ALLOC) !== 0n);
  const kept = all.slice(0, last + 1);
  if (names === undefined) throw new Error("the executable's sections have no names");
  const end = Math.max(...kept.map(({ type, offset, size }) => offset + (type === SHT_NOBITS ? 0 : size)));
  const namesAt = Math.ceil(end / 8) * 8;
  const tableAt = Math.ceil((namesAt + names.size) / 8) * 8;
  const out = Buffer.alloc(tableAt + (kept.length + 1) * HEADER_SIZE);
  file.copy(out, 0, 0, end);
  file.copy(out, namesAt, names.offset, names.offset + names.size);
  [...kept, names].forEach(({ header }, index) => {
    header.copy(out, tableAt + index * HEADER_SIZE);
  });
  out.writeBigUInt64LE(BigInt(namesAt), tableAt + kept.length * HEADER_SIZE + 24);
  out.writeBigUInt64LE(BigInt(tableAt), 40);
  out.writeUInt16LE(kept.length + 1, 60);
  out.writeUInt16LE(kept.length, 62);
  return out;
}
