const { createHash } = require('node:crypto');
const { createTransformer } = require('@swc/jest');

/**
 * @swc/jest, with a cache key that leaves out the configuration of the jest project: what it compiles depends on the
 * file and on the options of swc alone, so that the projects share what one of them has compiled.
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
