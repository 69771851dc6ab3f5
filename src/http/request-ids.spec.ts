import { createRequestIds } from './request-ids.js';

describe('createRequestIds', () => {
  const own = (id: string): { headers: Record<string, string> } => ({ headers: { 'x-request-id': id } });

  it('generates ids that are unique within a process and across processes', () => {
    const makers = [createRequestIds(), createRequestIds()];
    const ids = makers.flatMap((idOf) => Array.from({ length: 1000 }, () => idOf({ headers: {} })));
    expect(new Set(ids).size).toBe(2000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-z]{1,13}-[0-9a-z]+$/);
  });

  it('uses the id of the client if it is safe to log', () => {
    const idOf = createRequestIds();
    expect(idOf(own('trace:1.a_b-C'))).toBe('trace:1.a_b-C');
    for (const unsafe of ['', 'a b', 'a\nb', '{"a":1}', 'x'.repeat(129), 'é'])
      expect(idOf(own(unsafe))).toMatch(/^[0-9a-z]+-[0-9a-z]+$/);
  });
});
