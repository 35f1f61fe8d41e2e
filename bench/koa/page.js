'use strict';

// The page as most people would write it in Node.js: Koa in front, axios to
// ask the counter, two small files read for each view.

const crypto = require('node:crypto');
const fs = require('node:fs/promises');
const http = require('node:http');
const Koa = require('koa');
const Router = require('@koa/router');
const axios = require('axios');

const sharedFile = process.env.SHARED_FILE || '/usr/src/app/files/timestamp.txt';
const configFile = process.env.CONFIG_FILE || '/usr/src/app/config/information.txt';
const pingpongUrl = process.env.PINGPONG_URL || 'http://pingpong-svc:3001/ping';

// Connections are kept: the default since Node.js 19, said here so that
// Node.js 18 is measured in the same way.
const upstream = axios.create({
  httpAgent: new http.Agent({ keepAlive: true }),
  timeout: 10000,
});

async function lastTimestamp() {
  const lines = (await fs.readFile(sharedFile, 'utf8')).trimEnd().split('\n');
  return lines[lines.length - 1];
}

async function page(ctx) {
  const [timestamp, config, answer] = await Promise.all([
    lastTimestamp(),
    fs.readFile(configFile, 'utf8'),
    upstream.get(pingpongUrl),
  ]);
  const hash = crypto.createHash('sha256').update(timestamp).digest('hex');
  ctx.type = 'text/plain; charset=utf-8';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = `file content: ${config.trim()}
env variable: MESSAGE=${process.env.MESSAGE || ''}
${timestamp}: ${hash}
Ping / Pongs: ${answer.data.pong}
`;
}

async function health(ctx) {
  try {
    await lastTimestamp();
    ctx.body = 'OK';
  } catch {
    ctx.status = 500;
    ctx.body = 'shared file missing';
  }
}

const router = new Router();
router.get('/healthz', health);
router.get(['/', '/log-output'], page);
router.get('/livez', (ctx) => {
  ctx.body = 'OK';
});

const app = new Koa();
app.use(async (ctx, next) => {
  try {
    await next();
  } catch (err) {
    ctx.status = 503;
    ctx.body = 'page unavailable\n';
    ctx.app.emit('error', err, ctx);
  }
});
app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env.PORT || 3002), '127.0.0.1');
