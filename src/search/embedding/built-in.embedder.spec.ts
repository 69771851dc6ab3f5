import { BuiltInEmbedder } from './built-in.embedder.js';
import { wordsOf } from './words.js';

const embedder = new BuiltInEmbedder();

const dot = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

async function likeness(a: string, b: string): Promise<number> {
  const [one, other] = await embedder.embed([a, b]);
  return dot(one ?? new Float32Array(), other ?? new Float32Array());
}

describe('wordsOf', () => {
  it.each([
    ['Café CRÈME', ['cafe', 'creme']],
    ['at 7:30, for $19.99.', ['at', '7:30', 'for', '19.99']],
    ["I'd like 2", ['i', 'd', 'like', '2']],
    ['Straße İstanbul Łódź', ['strasse', 'istanbul', 'lodz']],
    ['ab漢字c', ['ab', '漢', '字', 'c']],
    ['हिन्दी', ['हिन्दी']],
    ['예약을 해요', ['예', '약', '을', '해', '요']],
    ['예약'.normalize('NFD'), ['예', '약']],
    ['Party 🎉🎉', ['party', '🎉', '🎉']],
    ['👍🏽 ❤️ 🇫🇷 👨‍👩‍👧', ['👍', '❤', '🇫🇷', '👨‍👩‍👧']],
    ['…!? ', []],
  ])('reads %j', (text, words) => {
    expect([...wordsOf(text)].map((word) => word.normalize('NFC'))).toEqual(
      words.map((word) => word.normalize('NFC')),
    );
  });

  it('treats composed and decomposed forms as equal', () => {
    expect([...wordsOf('cafe\u0301 \u1e69')]).toEqual([...wordsOf('caf\u00e9 s\u0323\u0307')]);
  });
});

describe('BuiltInEmbedder', () => {
  it('returns a vector of 256 dimensions and length 1 for each text, in order', async () => {
    const texts = ['a taxi to the airport', 'two tickets', 'a taxi to the airport'];
    const vectors = await embedder.embed(texts);
    expect(vectors.map(({ length }) => length)).toEqual([256, 256, 256]);
    for (const vector of vectors) expect(dot(vector, vector)).toBeCloseTo(1, 5);
    expect(vectors[2]).toEqual(vectors[0]);
    expect(vectors[1]).not.toEqual(vectors[0]);
  });

  it('returns the same vectors as earlier versions of this model name', async () => {
    const [vector] = await embedder.embed(['Book a Café in Łódź at 7:30, please']);
    expect(Array.from(vector?.slice(0, 8) ?? [], (value) => Number(value.toFixed(4)))).toEqual([
      0.0774, 0.0774, 0, 0, -0.2387, -0.0774, 0, 0,
    ]);
    expect(embedder.model).toBe('built-in-256-v2');
    const others = await embedder.embed(['예약', '🎉 👍🏽']);
    const places = others.map((one) => [...one.entries()].flatMap(([at, value]) => (value > 0.1 ? at : [])));
    expect(places).toEqual([
      [89, 103, 187, 188, 209, 217, 247],
      [37, 100, 102, 119, 145, 189],
    ]);
  });

  it('returns a zero vector for a text without words', async () => {
    const [empty, blank] = await embedder.embed(['', ' …\n']);
    expect(empty?.every((value) => value === 0)).toBe(true);
    expect(blank?.every((value) => value === 0)).toBe(true);
  });

  it('finds shared words regardless of case and accents', async () => {
    expect(await likeness('Un CAFÉ olé', 'un cafe ole')).toBeCloseTo(1, 5);
  });

  it('finds inflections and slight misspellings through parts of words', async () => {
    const unrelated = await likeness('reservation', 'umbrella');
    expect(await likeness('reservation', 'reservations')).toBeGreaterThan(unrelated + 0.2);
    expect(await likeness('reservation', 'resarvation')).toBeGreaterThan(unrelated + 0.1);
  });

  it('ranks the same words in the same order above the same words in another order', async () => {
    const query = 'transfer money from savings to checking';
    expect(await likeness(query, 'transfer money from savings to checking today')).toBeGreaterThan(
      await likeness(query, 'today to money checking savings from transfer'),
    );
  });

  it('weights the subject more than function words', async () => {
    const query = 'can you find me a dentist in Oakland';
    expect(await likeness(query, 'Oakland, dentist')).toBeGreaterThan(
      (await likeness(query, 'me in you can')) + 0.2,
    );
  });

  it('finds its dialogue among others of the same subject', async () => {
    const cities = ['Oakland', 'Fresno', 'San Jose', 'Berkeley', 'Novato', 'Petaluma', 'Concord', 'Vallejo'];
    const dialogue = (city: string, i: number): string =>
      `I need a dentist in ${city}.\nI found one. Shall I book it?\nYes, on March ${i + 3} at ${i + 1}:30 pm.\nIt is booked. Anything else?\nNo, thank you.`;
    const stored = await embedder.embed(cities.map(dialogue));
    const queries = await embedder.embed(cities.map((city, i) => `dentist in ${city} at ${i + 1}:30`));
    const found = queries.map((query) => {
      const scores = stored.map((vector) => dot(query, vector));
      return scores.indexOf(Math.max(...scores));
    });
    expect(found).toEqual(cities.map((_, i) => i));
  });

  it.each([
    [
      'Korean',
      ['예약 취소', '환불 문의', '배송 언제', '비밀번호 변경'],
      [
        '안녕하세요, 예약을 취소하고 싶어요',
        '환불해 주실 수 있나요? 문의드립니다',
        '배송은 언제쯤 도착하나요',
        '비밀번호를 변경하려면 어떻게 해야 하나요',
      ],
    ],
    [
      'Chinese and Japanese',
      ['取消预订', '退款', '配送はいつ', 'パスワード変更'],
      [
        '你好,我想取消我的预订',
        '请问可以退款吗?谢谢',
        '荷物の配送はいつになりますか',
        'パスワードを変更したいのですが',
      ],
    ],
    [
      'emoji',
      ['🎂', '🚗', '👍', '🇫🇷'],
      [
        'see you at the party 🎂🎉',
        'we will pick you up 🚗 at nine',
        'that is fine 👍🏿',
        'a trip to 🇫🇷 next week',
      ],
    ],
  ])('finds %s', async (_name, queries, texts) => {
    const stored = await embedder.embed(texts);
    const found = (await embedder.embed(queries)).map((query) => {
      const scores = stored.map((vector) => dot(query, vector));
      const best = Math.max(...scores);
      return best > 0 ? scores.indexOf(best) : -1;
    });
    expect(found).toEqual([0, 1, 2, 3]);
  });

  it('reads half a million characters without a space, and stacked combining marks', async () => {
    const vectors = await embedder.embed([
      'x'.repeat(500_000),
      'a\u0301\u0323'.repeat(150_000),
      '1.'.repeat(250_000),
      '👨‍👩‍👧'.repeat(60_000),
      '한'.normalize('NFD').repeat(150_000),
    ]);
    for (const vector of vectors) expect(dot(vector, vector)).toBeCloseTo(1, 5);
  });

  it('stops between texts if it is aborted', async () => {
    const controller = new AbortController();
    const long = 'some words that differ '.repeat(20_000);
    const embedded = embedder.embed([long, long, long], controller.signal);
    controller.abort(new Error('enough'));
    await expect(embedded).rejects.toThrow('enough');
  });
});
