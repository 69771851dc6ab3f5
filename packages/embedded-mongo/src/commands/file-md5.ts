import { createHash } from 'node:crypto';
import { Binary } from 'bson';
import { decode, isNumeric, toNumber } from '../values/bson.js';
import { ServerError } from '../values/errors.js';
import { Args, checkNamespace } from './arguments.js';
import type { Command } from './command.js';

/**
 * `filemd5` of GridFS: the MD5 of a file's chunks in order. Throws if a chunk is missing or does not contain
 * bytes.
 */
export const fileMd5Commands: readonly Command[] = [
  {
    name: 'filemd5',
    fields: ['filemd5', 'root', 'partialOk', 'md5state'],
    counter: 'command',
    async run(ctx) {
      const args = new Args('filemd5', ctx.body);
      const ns = checkNamespace({ db: ctx.db, coll: `${args.string('root') ?? 'fs'}.chunks` });
      const filter = { files_id: ctx.body['filemd5'] };
      const cursor = ctx.engine.find(ns, { filter, sort: { files_id: 1, n: 1 } }, ctx.op);
      const hash = createHash('md5');
      let numChunks = 0;
      try {
        for (let done = false; !done;) {
          const batch = await cursor.next(16, 4 * 1024 * 1024);
          ({ done } = batch);
          for (const bytes of batch.docs) {
            const { n, data } = decode(bytes);
            if (!isNumeric(n) || toNumber(n) !== numChunks)
              throw new ServerError(10040, `chunks out of order, expected chunk ${numChunks}`);
            if (!(data instanceof Binary)) throw new ServerError(50849, "The element 'data' is not BinData");
            hash.update(data.buffer.subarray(0, data.position));
            numChunks += 1;
          }
        }
      } finally {
        cursor.close();
      }
      return { numChunks, md5: hash.digest('hex') };
    },
  },
];
