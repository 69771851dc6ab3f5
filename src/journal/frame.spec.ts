import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { frameBytes, readFrame, saltOf, scanFrames, writeFrame } from './frame.js';

const salt = saltOf('000000000000001-000000-0a1b2c3d');
const records = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 8 });

function segmentOf(contents: readonly Uint8Array[]): Buffer {
  const segment = Buffer.alloc(contents.reduce((sum, record) => sum + frameBytes(record), 0));
  let at = 0;
  for (const [index, record] of contents.entries()) {
    at = writeFrame(segment, at, { record, time: index, group: 0 }, salt);
  }
  return segment;
}

/** The records that a scan finds, by the number in their time: where and what. */
function readAll(segment: Buffer): Map<number, Buffer> {
  const scan = scanFrames(segment, salt);
  const found = new Map<number, Buffer>();
  const gapAt = new Map(scan.gaps);
  for (let at = gapAt.get(0) ?? 0; at < scan.end;) {
    const frame = readFrame(segment, at, salt);
    if (typeof frame !== 'object') throw new Error('The scan counts as readable what is not.');
    found.set(frame.time, frame.record);
    at = gapAt.get(frame.end) ?? frame.end;
  }
  expect(found.size).toBe(scan.records);
  return found;
}

describe('frames', () => {
  it('has the crc32 of zlib', () => expect(crc32('123456789')).toBe(0xcbf43926));

  it('cut at every byte of the tail, gives each whole record and no part of one', () => {
    fc.assert(
      fc.property(records, (contents) => {
        const segment = segmentOf(contents);
        let whole = 0;
        let nextEnd = frameBytes(contents[0] ?? new Uint8Array());
        for (let length = 0; length <= segment.length; length++) {
          if (length === nextEnd) {
            whole += 1;
            nextEnd += frameBytes(contents[whole] ?? new Uint8Array());
          }
          const scan = scanFrames(segment.subarray(0, length), salt);
          expect([scan.records, scan.gaps]).toEqual([whole, []]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('loses the one record of a damaged byte, never an other one, and gives none that was altered', () => {
    fc.assert(
      fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (contents, place, flip) => {
        const segment = segmentOf(contents);
        const at = place % segment.length;
        segment.writeUInt8(segment.readUInt8(at) ^ flip, at);
        let end = 0;
        const hit = contents.findIndex((record) => at < (end += frameBytes(record)));
        const found = readAll(segment);
        const expected = new Map(contents.map((record, index) => [index, Buffer.from(record)]));
        expected.delete(hit);
        expect(found).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('takes zeros, as a file system may leave them after a power cut, for no records', () => {
    expect(scanFrames(Buffer.alloc(4096), salt)).toMatchObject({ records: 0, end: 0, gaps: [] });
  });

  it('does not take the frames of another segment inside a damaged record for records', () => {
    const inner = Buffer.alloc(frameBytes(Buffer.from('inner')));
    writeFrame(inner, 0, { record: Buffer.from('inner'), time: 0, group: 0 }, saltOf('another'));
    const segment = segmentOf([inner, Buffer.from('after')]);
    segment.writeUInt8(segment.readUInt8(4) ^ 1, 4);
    expect([...readAll(segment).values()].map(String)).toEqual(['after']);
  });
});
