import type { HttpAdapterHost } from '@nestjs/core';
import { loadSettings } from '../config/index.js';
import { MessageDebouncer } from './message-debouncer.js';

type Hook = (done: () => void) => void;

const messageOf = (conversationId: string, messageId: string, tenantId = 'acme') => ({
  tenantId,
  conversationId,
  messageId,
});

describe('MessageDebouncer', () => {
  let debouncer: MessageDebouncer;
  let shutDown: () => void;
  let ended: string[];

  beforeEach(() => {
    jest.useFakeTimers();
    const hooks = new Map<string, Hook>();
    const instance = { addHook: (name: string, hook: Hook) => hooks.set(name, hook) };
    const host = { httpAdapter: { getInstance: () => instance } };
    debouncer = new MessageDebouncer(
      host as unknown as HttpAdapterHost,
      loadSettings({ RESPONDER_MAX_CONCURRENT: '2' }).processing,
    );
    debouncer.onModuleInit();
    shutDown = () => hooks.get('preClose')?.(() => undefined);
    ended = [];
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const wait = (conversationId: string, messageId: string, ms = 1000, tenantId = 'acme'): void => {
    void debouncer.wait(messageOf(conversationId, messageId, tenantId), ms).then(() => ended.push(messageId));
  };
  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  it('ends a wait after its time', async () => {
    wait('c', 'm');
    await pass(999);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toEqual(['m']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ends the wait of a message as soon as the next one of its conversation waits', async () => {
    wait('c', 'm1');
    wait('other', 'm2');
    wait('c', 'm3');
    await pass(0);
    expect(ended).toEqual(['m1']);
    await pass(1000);
    expect(ended).toEqual(['m1', 'm2', 'm3']);
  });

  it('ends the wait of a message when another one follows that does not wait', async () => {
    wait('c', 'm1');
    wait('other', 'm2');
    debouncer.end('acme', 'c');
    debouncer.end('acme', 'unknown');
    await pass(0);
    expect(ended).toEqual(['m1']);
  });

  it('lets repeated requests for a message wait together', async () => {
    wait('c', 'm', 1000);
    await pass(500);
    wait('c', 'm', 500);
    await pass(499);
    expect(ended).toEqual([]);
    await pass(1);
    expect(ended).toEqual(['m', 'm']);
  });

  it('does not wait beyond RESPONDER_MAX_CONCURRENT conversations, for each tenant by itself', async () => {
    wait('c1', 'm1');
    wait('c2', 'm2');
    wait('c3', 'm3');
    wait('c4', 'm4', 1000, 'globex');
    await pass(0);
    expect(ended).toEqual(['m3']);
    wait('c1', 'm5');
    await pass(999);
    expect(ended).toEqual(['m3', 'm1']);
    await pass(1);
    wait('c3', 'm6');
    await pass(999);
    expect(ended).not.toContain('m6');
  });

  it('ends every wait when the server closes, and begins none', async () => {
    wait('c1', 'm1');
    wait('c2', 'm2', 1000, 'globex');
    shutDown();
    wait('c3', 'm3');
    await pass(0);
    expect(ended).toEqual(['m1', 'm2', 'm3']);
    expect(jest.getTimerCount()).toBe(0);
  });
});
