// A worker thread that reads a whole collection through one cursor, so that its work does not delay the
// measuring thread.
import { parentPort, workerData } from 'node:worker_threads';
import { MongoClient } from 'mongodb';

const client = await MongoClient.connect((workerData as { uri: string }).uri);
const begun = performance.now();
let documents = 0;
for await (const _ of client.db('million').collection('messages').find({}, { raw: true })) documents++;
parentPort?.postMessage({ documents, ms: performance.now() - begun });
await client.close();
