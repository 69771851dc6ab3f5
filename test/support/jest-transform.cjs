const { createHash } = require('node:crypto');
const { createTransformer } = require('@swc/jest');

/**
 * @swc/jest with a cache key that does not include the configuration of the jest project. Its output depends
 * only on the file and the options of swc, so the projects can share compiled files.
 */
module.exports = {
  /** @param {import('@swc/core').Options} options */
  createTransformer(options) {
    const transformer = createTransformer(options);
    const shared = JSON.stringify([options, require('@swc/core').version]);
    return {
      ...transformer,
      /** @param {string} source @param {string} path */
      getCacheKey: (source, path) =>
        createHash('sha256')
          .update(shared)
          .update('\0')
          .update(path)
          .update('\0')
          .update(source)
          .digest('hex'),
    };
  },
};
