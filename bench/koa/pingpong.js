'use strict';

// The counter as most people would write it in Node.js: Koa in front, a pool
// of ten database connections, one UPDATE per request.

const Koa = require('koa');
const Router = require('@koa/router');
const { Pool } = require('pg');

const pool = new Pool({
  host: process.env.DB_HOST || 'localhost',
  port: Number(process.env.DB_PORT || 5432),
  user: process.env.DB_USER || 'postgres',
  password: process.env.DB_PASSWORD,
  database: process.env.DB_NAME || 'postgres',
  max: 10,
  connectionTimeoutMillis: 10000,
});
// Without a listener a connection lost while idle would end the process.
pool.on('error', (err) => console.error('database connection lost:', err.message));

async function prepareSchema() {
  await pool.query('CREATE TABLE IF NOT EXISTS counters (id INT PRIMARY KEY, count BIGINT NOT NULL)');
  await pool.query('INSERT INTO counters (id, count) VALUES (1, 0) ON CONFLICT (id) DO NOTHING');
}

async function ping(ctx) {
  const { rows } = await pool.query('UPDATE counters SET count = count + 1 WHERE id = 1 RETURNING count');
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { pong: Number(rows[0].count) };
}

async function count(ctx) {
  const { rows } = await pool.query('SELECT count FROM counters WHERE id = 1');
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { pong: Number(rows[0].count) };
}

async function health(ctx) {
  try {
    await pool.query('SELECT 1 FROM counters WHERE id = 1');
    ctx.body = 'OK';
  } catch {
    ctx.status = 500;
    ctx.body = 'DB Not Ready';
  }
}

const router = new Router();
router.get('/', (ctx) => {
  ctx.body = 'OK';
});
router.get('/livez', (ctx) => {
  ctx.body = 'OK';
});
router.get('/healthz', health);
router.get('/count', count);
for (const path of ['/ping', '/pingpong']) {
  router.get(path, ping);
  router.post(path, ping);
}

const app = new Koa();
// Koa's own handler answers in plain text; the contract says JSON.
app.use(async (ctx, next) => {
  try {
    await next();
  } catch (err) {
    ctx.status = 503;
    ctx.body = { error: 'database unavailable' };
    ctx.app.emit('error', err, ctx);
  }
});
app.use(router.routes()).use(router.allowedMethods());

prepareSchema()
  .then(() => app.listen(Number(process.env.PORT || 3001), '127.0.0.1'))
  .catch((err) => {
    console.error('cannot prepare the table:', err.message);
    process.exit(1);
  });
