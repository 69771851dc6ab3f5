// Loaded into a service by `node --import`: on SIGUSR2 something fails that nothing handles, as a fault of the program would.
process.on('SIGUSR2', () => {
  const cause = Object.assign(new Error('the command failed'), { command: { content: 'what Ann wrote' } });
  const error = new Error(
    `nobody waits for this at mongodb://ann:the-password-1@127.0.0.1/x with ${process.env.ADMIN_API_KEY}`,
    {
      cause,
    },
  );
  if (process.env.FAIL_BY === 'throw') throw error;
  void Promise.reject(error);
});
