import mongoose, { type Connection, Schema, Types } from 'mongoose';
import { openTestStore, type TestStore } from './store.js';

interface Author {
  name: string;
  email: string;
}

interface Book {
  title: string;
  author: Types.ObjectId;
  tags: string[];
  price?: Types.Decimal128;
  meta?: Map<string, string>;
  copies: number;
  publishedAt?: Date;
}

const authorSchema = new Schema<Author>({ name: String, email: { type: String, unique: true } });
const bookSchema = new Schema<Book>(
  {
    title: { type: String, required: true, index: true },
    author: { type: Schema.Types.ObjectId, ref: 'Author' },
    tags: [String],
    price: Schema.Types.Decimal128,
    meta: { type: Map, of: String },
    copies: { type: Number, default: 0 },
    publishedAt: Date,
  },
  { timestamps: true, optimisticConcurrency: true },
);
bookSchema.index({ author: 1, title: -1 }, { name: 'by_author' });

let test: TestStore;
let connection: Connection;
let names = 0;

beforeAll(async () => {
  test = await openTestStore();
});

afterAll(() => test.close());

const models = (of: Connection) => ({
  Author: of.model<Author>('Author', authorSchema),
  Book: of.model<Book>('Book', bookSchema),
});

beforeEach(async () => {
  names += 1;
  connection = await mongoose
    .createConnection(test.store.uri, { dbName: `mongoose${names}`, autoIndex: false })
    .asPromise();
});

afterEach(() => connection.close());

it('creates and synchronizes the indexes of models', async () => {
  const { Author, Book } = models(connection);
  await Author.init();
  await Author.createIndexes();
  await Book.createIndexes();
  expect((await Book.listIndexes()).map(({ name }) => name as string)).toEqual([
    '_id_',
    'title_1',
    'by_author',
  ]);
  await Book.collection.createIndex({ copies: 1 });
  expect(await Book.syncIndexes()).toEqual(['copies_1']);
  expect(await Book.diffIndexes()).toEqual({ toDrop: [], toCreate: [] });
  await Author.create({ name: 'A', email: 'same' });
  await expect(Author.create({ name: 'B', email: 'same' })).rejects.toMatchObject({
    code: 11000,
    keyValue: { email: 'same' },
  });
});

it('stores documents, keeps their types and populates references', async () => {
  const { Author, Book } = models(connection);
  const author = await Author.create({ name: 'Ursula', email: 'u@l.g' });
  const book = await Book.create({
    title: 'Left Hand',
    author: author._id,
    tags: ['sf'],
    price: Types.Decimal128.fromString('9.90'),
    meta: new Map([['lang', 'en']]),
    publishedAt: new Date('1969-03-01'),
  });
  const found = await Book.findById(book._id).populate<{ author: Author }>('author').orFail();
  expect(found.author.name).toBe('Ursula');
  expect(found.price?.toString()).toBe('9.90');
  expect(found.meta?.get('lang')).toBe('en');
  expect(found.publishedAt).toEqual(new Date('1969-03-01'));
  found.tags.push('classic');
  found.set('copies', 3);
  await found.save();
  expect(await Book.findOne({ tags: 'classic' }).lean()).toMatchObject({
    copies: 3,
    tags: ['sf', 'classic'],
  });
  await Book.updateOne(
    { _id: book._id },
    { $pull: { tags: 'sf' }, $unset: { price: 1 }, $inc: { copies: 0.5 } },
  );
  expect(await Book.findById(book._id).lean()).toMatchObject({ copies: 3.5, tags: ['classic'] });
});

it('refuses to overwrite a newer version', async () => {
  const { Book } = models(connection);
  const { _id } = await Book.create({ title: 'One' });
  const [first, second] = await Promise.all([Book.findById(_id).orFail(), Book.findById(_id).orFail()]);
  first.title = 'First';
  second.title = 'Second';
  await first.save();
  await expect(second.save()).rejects.toThrow(mongoose.Error.VersionError);
});

it('runs transactions, and rolls back both documents in memory and the database', async () => {
  const { Book } = models(connection);
  await Book.createCollection();
  await connection.transaction(async (session) => {
    await Book.create([{ title: 'A' }, { title: 'B' }], { session, ordered: true });
    await Book.updateOne({ title: 'A' }, { copies: 5 }, { session });
  });
  expect(await Book.countDocuments({ copies: { $gte: 0 } })).toBe(2);
  const failing = connection.transaction(async (session) => {
    await Book.deleteMany({}, { session });
    expect(await Book.countDocuments({}, { session })).toBe(0);
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  expect(await Book.countDocuments()).toBe(2);
});

it('queries, aggregates, iterates and writes in bulk', async () => {
  const { Book } = models(connection);
  await Book.insertMany(
    Array.from({ length: 30 }, (_, n) => ({
      title: `Book ${n}`,
      copies: n,
      tags: n % 2 ? ['odd'] : ['even'],
    })),
  );
  expect(
    await Book.find({ copies: { $gt: 26 } })
      .sort({ copies: -1 })
      .select('copies -_id')
      .lean(),
  ).toEqual([{ copies: 29 }, { copies: 28 }, { copies: 27 }]);
  expect(await Book.exists({ title: /^Book 2\d$/ })).not.toBeNull();
  const sums = await Book.aggregate<{ _id: string; copies: number }>([
    { $unwind: '$tags' },
    { $group: { _id: '$tags', copies: { $sum: '$copies' } } },
    { $sort: { _id: 1 } },
  ]);
  expect(sums).toEqual([
    { _id: 'even', copies: 210 },
    { _id: 'odd', copies: 225 },
  ]);
  let seen = 0;
  for await (const book of Book.find().cursor({ batchSize: 4 })) seen += book.copies;
  expect(seen).toBe(435);
  const result = await Book.bulkWrite([
    { updateMany: { filter: { tags: 'odd' }, update: { $set: { copies: 1 } } } },
    { deleteMany: { filter: { tags: 'even' } } },
  ]);
  expect(result).toMatchObject({ modifiedCount: 15, deletedCount: 15 });
  expect(
    await Book.findOneAndUpdate({ title: 'new' }, { copies: 9 }, { upsert: true, returnDocument: 'after' }),
  ).toMatchObject({
    title: 'new',
    copies: 9,
  });
});
