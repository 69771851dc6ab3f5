import { ParticipantDataRegistry } from './participant-data.js';
import { MAX_EXPORTS_OF_TENANT, ParticipantExporter } from './participant-exporter.js';

const exporterOf = (count: number, onYield: () => void = () => undefined): ParticipantExporter => {
  const registry = new ParticipantDataRegistry();
  registry.contribute({
    name: 'things',
    erase: () => Promise.resolve({}),
    count: () => Promise.resolve({}),
    async *export() {
      for (let number = 1; number <= count; number++) {
        onYield();
        yield await Promise.resolve({ kind: 'thing', document: { number, text: 'x'.repeat(1000) } });
      }
    },
  });
  return new ParticipantExporter(registry);
};

describe('ParticipantExporter', () => {
  it('yields whole lines in chunks, first the kind export, last the kind end with the counts', async () => {
    const chunks: string[] = [];
    for await (const chunk of exporterOf(100).lines('t', 'ana')) chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(2);
    for (const chunk of chunks) expect(chunk.endsWith('\n')).toBe(true);
    const lines = chunks.join('').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { kind: string }).kind)).toEqual([
      'export',
      ...Array.from({ length: 100 }, () => 'thing'),
      'end',
    ]);
    expect(lines.at(-1)).toBe('{"kind":"end","document":{"counts":{"thing":100}}}');
  });

  it('reads no further than it is consumed', async () => {
    let read = 0;
    const lines = exporterOf(10_000, () => read++).lines('t', 'ana');
    await lines.next();
    expect(read).toBeLessThan(40);
    await lines.return(undefined);
    expect(read).toBeLessThan(40);
  });

  it('limits the exports of a tenant, and of all tenants, until they end', () => {
    const exporter = exporterOf(0);
    const ends = Array.from({ length: MAX_EXPORTS_OF_TENANT }, () => exporter.begin('t'));
    expect(() => exporter.begin('t')).toThrow(expect.objectContaining({ problem: refusal(429) }));
    ends[0]?.();
    ends[0]?.();
    ends.push(exporter.begin('t'));
    expect(() => exporter.begin('t')).toThrow();
    for (const tenant of ['a', 'b', 'c']) ends.push(exporter.begin(tenant), exporter.begin(tenant));
    expect(() => exporter.begin('d')).toThrow(expect.objectContaining({ problem: refusal(503) }));
    for (const end of ends) end();
    expect(exporter.begin('d')).toEqual(expect.any(Function));
  });
});

const refusal = (status: number): unknown =>
  expect.objectContaining({ status, retryAfterSeconds: 10 }) as unknown;
