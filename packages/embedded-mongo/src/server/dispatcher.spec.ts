import { Binary, Long } from 'bson';
import { TestStore } from '../engine/testing/open-temp.js';
import { decode, encode } from '../values/bson.js';
import type { Doc } from '../values/bson.js';
import { Dispatcher } from './dispatcher.js';
import { ServerState } from './state.js';

/** Offset of the body in an OP_MSG reply, after the header, the flags and the section kind. */
const bodyAt = 21;

describe('Dispatcher', () => {
  let store: TestStore;
  let state: ServerState;

  beforeEach(async () => {
    store = await TestStore.open();
    state = new ServerState(
      store.engine,
      () => store.time,
      () => undefined,
    );
  });

  afterEach(() => store.destroy());

  const send = async (body: Doc): Promise<Doc> => {
    const outcome = await new Dispatcher(state).handle(
      {
        requestId: 1,
        kind: 'message',
        body: encode({ ...body, $db: 'd' }),
        sequences: new Map(),
        moreToCome: false,
        exhaustAllowed: false,
        size: 0,
      },
      { id: 1, remoteAddress: 'here', client: undefined },
    );
    if (outcome === 'close') throw new Error('hung up');
    return decode(outcome.message.subarray(bodyAt));
  };

  it('labels the error of a closing server according to the request', async () => {
    state.closing = true;
    const session = { lsid: { id: new Binary(new Uint8Array(16), 4) }, txnNumber: Long.fromNumber(1) };
    const write = { delete: 'c', deletes: [{ q: {}, limit: 1 }], ...session };
    expect(await send(write)).toMatchObject({
      codeName: 'ShutdownInProgress',
      errorLabels: ['RetryableWriteError'],
    });
    expect(await send({ ...write, startTransaction: true, autocommit: false })).toMatchObject({
      codeName: 'ShutdownInProgress',
      errorLabels: ['TransientTransactionError'],
    });
    const read = await send({ find: 'c' });
    expect(read).toMatchObject({ codeName: 'ShutdownInProgress' });
    expect(read).not.toHaveProperty('errorLabels');
  });
});
