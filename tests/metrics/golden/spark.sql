-- spark: rendered and parsed, not run against a live service.
-- `:name` is a number that an earlier statement computes. Written by tests/metrics/test_golden.py.

-- probe
SELECT
  COUNT(*) AS z_rows,
  COUNT(`user id`) AS z_known,
  COUNT(
    CASE WHEN `user id` = '' OR `user id` LIKE ' %' AND TRIM(`user id`) = '' THEN 1 END
  ) AS z_blank,
  COUNT(`group`) AS z_variants,
  COUNT(DISTINCT `user id`) AS z_distinct,
  MIN(`exposed_at`) AS z_first,
  MAX(`exposed_at`) AS z_last,
  COUNT(`exposed_at`) AS z_timed
FROM `results`;

-- probe:variants
WITH zx AS (
  SELECT
    CAST(`group` AS STRING) AS zx_v
  FROM `results`
  WHERE
    NOT `user id` IS NULL
    AND NOT (
      `user id` = '' OR `user id` LIKE ' %' AND TRIM(`user id`) = ''
    )
)
SELECT
  zx_v AS z_v,
  COUNT(*) AS z_n
FROM zx
GROUP BY
  zx_v;

-- probe:shifts
WITH zw AS (
  SELECT
    CAST(`group` AS STRING) AS zw_v,
    CAST(`exposed_at` AS DATE) AS zw_day,
    CAST(`Country` AS STRING) AS zw_g1,
    CAST(`order` AS DOUBLE) AS zw_4,
    CAST(`spent_before` AS DOUBLE) AS zw_5,
    CASE WHEN `plan` = 'O\'Hara' THEN CAST(1e0 AS DOUBLE) ELSE CAST(0e0 AS DOUBLE) END AS zw_6,
    CAST(CAST(`clicks` AS DOUBLE) / NULLIF(CAST(2 AS DOUBLE), CAST(0e0 AS DOUBLE)) AS DOUBLE) AS zw_7,
    CAST(`visits` AS DOUBLE) AS zw_8
  FROM `results`
  WHERE
    CAST(`group` AS STRING) IN ('a', 'b')
    AND NOT `user id` IS NULL
    AND NOT (
      `user id` = '' OR `user id` LIKE ' %' AND TRIM(`user id`) = ''
    )
), zs AS (
  SELECT
    zw_4 AS zs_4,
    zw_5 AS zs_5,
    zw_7 AS zs_7,
    zw_8 AS zs_8
  FROM zw
  LIMIT 20000
)
SELECT
  AVG(CASE WHEN ABS(zs_4) <= CAST(1.7976931348623157e308 AS DOUBLE) THEN zs_4 END) AS z_1,
  AVG(CASE WHEN ABS(zs_5) <= CAST(1.7976931348623157e308 AS DOUBLE) THEN zs_5 END) AS z_2,
  AVG(CASE WHEN ABS(zs_7) <= CAST(1.7976931348623157e308 AS DOUBLE) THEN zs_7 END) AS z_3,
  AVG(CASE WHEN ABS(zs_8) <= CAST(1.7976931348623157e308 AS DOUBLE) THEN zs_8 END) AS z_4
FROM zs;

-- moments
WITH zw AS (
  SELECT
    CAST(`group` AS STRING) AS zw_v,
    CAST(`exposed_at` AS DATE) AS zw_day,
    CAST(`Country` AS STRING) AS zw_g1,
    CAST(`order` AS DOUBLE) AS zw_4,
    CAST(`spent_before` AS DOUBLE) AS zw_5,
    CASE WHEN `plan` = 'O\'Hara' THEN CAST(1e0 AS DOUBLE) ELSE CAST(0e0 AS DOUBLE) END AS zw_6,
    CAST(CAST(`clicks` AS DOUBLE) / NULLIF(CAST(2 AS DOUBLE), CAST(0e0 AS DOUBLE)) AS DOUBLE) AS zw_7,
    CAST(`visits` AS DOUBLE) AS zw_8
  FROM `results`
  WHERE
    CAST(`group` AS STRING) IN ('a', 'b')
    AND NOT `user id` IS NULL
    AND NOT (
      `user id` = '' OR `user id` LIKE ' %' AND TRIM(`user id`) = ''
    )
), zb AS (
  SELECT
    0 AS zb_1
  UNION ALL
  SELECT
    1 AS zb_1
), zk AS (
  SELECT
    zb_1 AS zk_a,
    CASE WHEN zb_1 = 1 THEN zw_g1 END AS zk_l,
    zw_v AS zk_v,
    CASE WHEN zb_1 = 0 THEN zw_day END AS zk_day,
    zw_4 AS zk_4,
    zw_5 AS zk_5,
    zw_6 AS zk_6,
    zw_7 AS zk_7,
    zw_8 AS zk_8
  FROM zw
  CROSS JOIN zb
), zm AS (
  SELECT
    zk_v AS zm_variant,
    zk_day AS zm_day,
    zk_a AS zm_attribute,
    zk_l AS zm_level,
    zk_4 AS zm_5,
    zk_4 - CAST(:order_y AS DOUBLE) AS zm_6,
    zk_5 - CAST(:order_x1 AS DOUBLE) AS zm_7,
    zk_6 AS zm_8,
    zk_7 AS zm_9,
    CASE WHEN zk_7 > CAST(1.25e1 AS DOUBLE) THEN CAST(1.25e1 AS DOUBLE) ELSE zk_7 END - CAST(:per_visit_y AS DOUBLE) AS zm_10,
    zk_8 - CAST(:per_visit_d AS DOUBLE) AS zm_11,
    zk_7 - CAST(:per_visit_y AS DOUBLE) AS zm_12,
    zk_4 + zk_5 + zk_6 + zk_7 + zk_8 AS zm_13
  FROM zk
)
SELECT
  zm_variant AS z_variant,
  zm_day AS z_day,
  zm_attribute AS z_attribute,
  zm_level AS z_level,
  COUNT(*) AS z_5,
  SUM(zm_6) AS z_6,
  SUM(zm_7) AS z_7,
  SUM(zm_6 * zm_6) AS z_8,
  SUM(zm_6 * zm_7) AS z_9,
  SUM(zm_7 * zm_7) AS z_10,
  SUM(zm_6 * zm_6 * zm_6) AS z_11,
  MAX(ABS(zm_5)) AS z_12,
  SUM(CASE WHEN zm_5 < 0 THEN 1 ELSE 0 END) AS z_13,
  SUM(zm_8) AS z_14,
  SUM(zm_10) AS z_15,
  SUM(zm_11) AS z_16,
  SUM(zm_10 * zm_10) AS z_17,
  SUM(zm_10 * zm_11) AS z_18,
  SUM(zm_11 * zm_11) AS z_19,
  SUM(zm_10 * zm_10 * zm_10) AS z_20,
  MAX(ABS(zm_9)) AS z_21,
  SUM(CASE WHEN zm_9 < 0 THEN 1 ELSE 0 END) AS z_22,
  COUNT(CASE WHEN zm_9 > CAST(1.25e1 AS DOUBLE) THEN 1 END) AS z_23,
  SUM(zm_12) AS z_24,
  SUM(zm_12 * zm_12) AS z_25,
  SUM(zm_12 * zm_12 * zm_12) AS z_26,
  SUM(zm_12 * zm_11) AS z_27,
  COUNT(zm_13) AS z_28
FROM zm
GROUP BY
  zm_variant,
  zm_day,
  zm_attribute,
  zm_level;

-- probe
WITH zx AS (
  SELECT
    CAST(`variant` AS STRING) AS zx_v,
    CAST(`reason` AS STRING) AS zx_r,
    `user_id` AS zx_u,
    `ts` AS zx_t,
    CAST(`served` AS STRING) AS zx_s
  FROM `analytics`.`exposures`
  WHERE
    (
      `ts` IS NULL OR `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
    )
)
SELECT
  zx_v AS z_v,
  zx_r AS z_r,
  COUNT(*) AS z_rows,
  COUNT(CASE WHEN zx_u IS NULL THEN 1 END) AS z_null_unit,
  COUNT(CASE WHEN zx_u = '' OR zx_u LIKE ' %' AND TRIM(zx_u) = '' THEN 1 END) AS z_blank_unit,
  COUNT(
    CASE
      WHEN NOT zx_u IS NULL
      AND NOT (
        zx_u = '' OR zx_u LIKE ' %' AND TRIM(zx_u) = ''
      )
      AND (
        zx_t < CAST('2026-03-02 00:00:00' AS TIMESTAMP)
        OR zx_t >= CAST('2026-03-16 00:00:00' AS TIMESTAMP)
        OR zx_t IS NULL
      )
      THEN 1
    END
  ) AS z_outside,
  COUNT(CASE WHEN zx_s <> zx_v THEN 1 END) AS z_served,
  MIN(zx_t) AS z_first,
  MAX(zx_t) AS z_last
FROM zx
GROUP BY
  zx_v,
  zx_r;

-- probe:orders
WITH zr AS (
  SELECT
    `ts` AS zr_t,
    `order_id` AS zr_id,
    CAST(`amount` - `refund` AS DOUBLE) AS zr_1,
    CAST(`amount` AS DOUBLE) AS zr_2,
    CAST(`ms` AS DOUBLE) AS zr_3
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-02-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
)
SELECT
  COUNT(*) AS z_rows,
  MIN(zr_t) AS z_first,
  MAX(zr_t) AS z_last,
  COUNT(zr_id) AS z_ids,
  COUNT(DISTINCT zr_id) AS z_distinct,
  COUNT(*) - COUNT(zr_1) AS z_1_missing,
  COUNT(
    CASE WHEN NOT (
      ABS(zr_1) <= CAST(1.7976931348623157e308 AS DOUBLE)
    ) THEN 1 END
  ) AS z_1_odd,
  COUNT(*) - COUNT(zr_2) AS z_2_missing,
  COUNT(
    CASE WHEN NOT (
      ABS(zr_2) <= CAST(1.7976931348623157e308 AS DOUBLE)
    ) THEN 1 END
  ) AS z_2_odd,
  COUNT(*) - COUNT(zr_3) AS z_3_missing,
  COUNT(
    CASE WHEN NOT (
      ABS(zr_3) <= CAST(1.7976931348623157e308 AS DOUBLE)
    ) THEN 1 END
  ) AS z_3_odd
FROM zr;

-- cap:revenue
WITH zx AS (
  SELECT
    `user_id` AS zx_u,
    CAST(`variant` AS STRING) AS zx_v,
    `ts` AS zx_t,
    CAST(`epoch` AS STRING) AS zx_1
  FROM `analytics`.`exposures`
  WHERE
    CAST(`variant` AS STRING) IN ('control', 'treatment')
    AND NOT `user_id` IS NULL
    AND NOT (
      `user_id` = '' OR `user_id` LIKE ' %' AND TRIM(`user_id`) = ''
    )
    AND CAST(`reason` AS STRING) = 'SPLIT'
    AND NOT `ts` IS NULL
    AND `ts` >= CAST('2026-03-02 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zp AS (
  SELECT
    zx_u AS zp_u,
    MIN(zx_t) AS zp_t,
    CASE WHEN MIN(zx_v) <> MAX(zx_v) THEN 1 ELSE 0 END AS zp_m
  FROM zx
  GROUP BY
    zx_u,
    zx_1
), zf AS (
  SELECT
    zp_u AS zf_u,
    MIN(zp_t) AS zf_t,
    MAX(zp_m) AS zf_m
  FROM zp
  GROUP BY
    zp_u
), zu AS (
  SELECT
    zf_u AS zu_u,
    zf_t AS zu_t,
    zf_m AS zu_m,
    MIN(zx_v) AS zu_v,
    MIN(zx_1) AS zu_1
  FROM zx
  INNER JOIN zf
    ON zf_u = zx_u
  WHERE
    zx_t = zf_t
  GROUP BY
    zf_u,
    zf_t,
    zf_m
), zr1 AS (
  SELECT
    `user_id` AS zr1_u,
    `ts` AS zr1_t,
    CAST(`amount` - `refund` AS DOUBLE) AS zr1_1,
    `order_id` AS zr1_id
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-02-23 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zq1 AS (
  SELECT
    zr1_u AS zq1_u,
    zr1_t AS zq1_t,
    zr1_1 AS zq1_1,
    zr1_id AS zq1_id,
    ROW_NUMBER() OVER (PARTITION BY zr1_id ORDER BY zr1_t NULLS LAST, zr1_u NULLS LAST) AS zq1_rank
  FROM zr1
), zd1 AS (
  SELECT
    zq1_u AS zr1_u,
    zq1_t AS zr1_t,
    zq1_1 AS zr1_1,
    zq1_id AS zr1_id
  FROM zq1
  WHERE
    zq1_rank = 1 OR zq1_id IS NULL
), za1 AS (
  SELECT
    zu_u AS za1_u,
    SUM(CASE WHEN zr1_t >= zu_t AND zr1_t < zu_t + INTERVAL '7' DAY THEN zr1_1 END) AS za1_1,
    SUM(CASE WHEN zr1_t >= zu_t - INTERVAL '7' DAY AND zr1_t < zu_t THEN zr1_1 END) AS za1_2,
    MAX(
      CASE
        WHEN zr1_t >= zu_t - INTERVAL '7' DAY AND zr1_t < zu_t
        THEN CAST(1e0 AS DOUBLE)
      END
    ) AS za1_3,
    COUNT(*) AS za1_n,
    COUNT(CASE WHEN zr1_t < zu_t AND zr1_t >= zu_t - INTERVAL '5' SECOND THEN 1 END) AS za1_early
  FROM zd1
  INNER JOIN zu
    ON zu_u = zr1_u
  GROUP BY
    zu_u
), zw AS (
  SELECT
    zu_v AS zw_v,
    zu_m AS zw_m,
    zu_1 AS zw_e,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_1, CAST(0e0 AS DOUBLE))
    END AS zw_4,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_2, CAST(0e0 AS DOUBLE))
    END AS zw_5,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_3, CAST(0e0 AS DOUBLE))
    END AS zw_6,
    COALESCE(za1_n, 0) AS zw_7,
    COALESCE(za1_early, 0) AS zw_8
  FROM zu
  LEFT JOIN za1
    ON za1_u = zu_u
)
SELECT
  COUNT(*) AS z_n,
  PERCENTILE(zw_5, 0.999) AS z_upper_below,
  PERCENTILE(zw_5, 0.999) AS z_upper_above
FROM zw
WHERE
  NOT zw_5 IS NULL AND zw_m = 0;

-- moments
WITH zx AS (
  SELECT
    `user_id` AS zx_u,
    CAST(`variant` AS STRING) AS zx_v,
    `ts` AS zx_t,
    CAST(`epoch` AS STRING) AS zx_1,
    CAST(`country` AS STRING) AS zx_2
  FROM `analytics`.`exposures`
  WHERE
    CAST(`variant` AS STRING) IN ('control', 'treatment')
    AND NOT `user_id` IS NULL
    AND NOT (
      `user_id` = '' OR `user_id` LIKE ' %' AND TRIM(`user_id`) = ''
    )
    AND CAST(`reason` AS STRING) = 'SPLIT'
    AND NOT `ts` IS NULL
    AND `ts` >= CAST('2026-03-02 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zp AS (
  SELECT
    zx_u AS zp_u,
    MIN(zx_t) AS zp_t,
    CASE WHEN MIN(zx_v) <> MAX(zx_v) THEN 1 ELSE 0 END AS zp_m
  FROM zx
  GROUP BY
    zx_u,
    zx_1
), zf AS (
  SELECT
    zp_u AS zf_u,
    MIN(zp_t) AS zf_t,
    MAX(zp_m) AS zf_m
  FROM zp
  GROUP BY
    zp_u
), zu AS (
  SELECT
    zf_u AS zu_u,
    zf_t AS zu_t,
    zf_m AS zu_m,
    MIN(zx_v) AS zu_v,
    MIN(zx_1) AS zu_1,
    MIN(zx_2) AS zu_2
  FROM zx
  INNER JOIN zf
    ON zf_u = zx_u
  WHERE
    zx_t = zf_t
  GROUP BY
    zf_u,
    zf_t,
    zf_m
), zr1 AS (
  SELECT
    `user_id` AS zr1_u,
    `ts` AS zr1_t,
    CAST(`amount` - `refund` AS DOUBLE) AS zr1_1,
    CAST(`amount` AS DOUBLE) AS zr1_2,
    `session_id` AS zr1_3,
    CAST(`ms` AS DOUBLE) AS zr1_4,
    `order_id` AS zr1_id
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-02-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zq1 AS (
  SELECT
    zr1_u AS zq1_u,
    zr1_t AS zq1_t,
    zr1_1 AS zq1_1,
    zr1_2 AS zq1_2,
    zr1_3 AS zq1_3,
    zr1_4 AS zq1_4,
    zr1_id AS zq1_id,
    ROW_NUMBER() OVER (PARTITION BY zr1_id ORDER BY zr1_t NULLS LAST, zr1_u NULLS LAST) AS zq1_rank
  FROM zr1
), zd1 AS (
  SELECT
    zq1_u AS zr1_u,
    zq1_t AS zr1_t,
    zq1_1 AS zr1_1,
    zq1_2 AS zr1_2,
    zq1_3 AS zr1_3,
    zq1_4 AS zr1_4,
    zq1_id AS zr1_id
  FROM zq1
  WHERE
    zq1_rank = 1 OR zq1_id IS NULL
), za1 AS (
  SELECT
    zu_u AS za1_u,
    SUM(CASE WHEN zr1_t >= zu_t AND zr1_t < zu_t + INTERVAL '7' DAY THEN zr1_1 END) AS za1_1,
    SUM(CASE WHEN zr1_t >= zu_t - INTERVAL '14' DAY AND zr1_t < zu_t THEN zr1_1 END) AS za1_2,
    MAX(
      CASE
        WHEN zr1_t >= zu_t - INTERVAL '14' DAY AND zr1_t < zu_t
        THEN CAST(1e0 AS DOUBLE)
      END
    ) AS za1_3,
    SUM(CASE WHEN zr1_t >= zu_t THEN zr1_2 END) AS za1_4,
    CAST(COUNT(DISTINCT CASE WHEN zr1_t >= zu_t THEN zr1_3 END) AS DOUBLE) AS za1_5,
    MAX(
      CASE
        WHEN zr1_t >= zu_t + INTERVAL '7' DAY AND zr1_t < zu_t + INTERVAL '14' DAY
        THEN CAST(1e0 AS DOUBLE)
      END
    ) AS za1_6,
    SUM(CASE WHEN zr1_t >= zu_t AND zr1_t < zu_t + INTERVAL '7' DAY THEN zr1_4 END) AS za1_7,
    COUNT(*) AS za1_n,
    COUNT(CASE WHEN zr1_t < zu_t AND zr1_t >= zu_t - INTERVAL '5' SECOND THEN 1 END) AS za1_early
  FROM zd1
  INNER JOIN zu
    ON zu_u = zr1_u
  GROUP BY
    zu_u
), zs4_1 AS (
  SELECT
    `user_id` AS zs4_1_u,
    `ts` AS zs4_1_t
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-03-01 23:59:55' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-17 00:00:00' AS TIMESTAMP)
    AND `kind` = 'cart'
), zf4_1 AS (
  SELECT
    zu_u AS zf4_1_u,
    MIN(zu_t) AS zf4_1_0,
    MIN(zs4_1_t) AS zf4_1_t,
    MAX(CAST(1e0 AS DOUBLE)) AS zf4_1_1
  FROM zs4_1
  INNER JOIN zu
    ON zu_u = zs4_1_u
  WHERE
    zs4_1_t >= zu_t AND zs4_1_t < zu_t + INTERVAL '1' DAY
  GROUP BY
    zu_u
), zs4_2 AS (
  SELECT
    `user_id` AS zs4_2_u,
    `ts` AS zs4_2_t
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-03-01 23:59:55' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-17 00:00:00' AS TIMESTAMP)
    AND `kind` = 'pay'
), zf4_2 AS (
  SELECT
    zf4_1_u AS zf4_2_u,
    MIN(zf4_1_0) AS zf4_2_0,
    MIN(zs4_2_t) AS zf4_2_t,
    MAX(CAST(1e0 AS DOUBLE)) AS zf4_2_1
  FROM zs4_2
  INNER JOIN zf4_1
    ON zf4_1_u = zs4_2_u
  WHERE
    zs4_2_t >= zf4_1_t AND zs4_2_t < zf4_1_0 + INTERVAL '1' DAY
  GROUP BY
    zf4_1_u
), zw AS (
  SELECT
    zu_v AS zw_v,
    zu_m AS zw_m,
    CAST(zu_t AS DATE) AS zw_day,
    zu_1 AS zw_e,
    zu_2 AS zw_g0,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_1, CAST(0e0 AS DOUBLE))
    END AS zw_6,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_2, CAST(0e0 AS DOUBLE))
    END AS zw_7,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_3, CAST(0e0 AS DOUBLE))
    END AS zw_8,
    COALESCE(za1_4, CAST(0e0 AS DOUBLE)) AS zw_9,
    COALESCE(za1_5, CAST(0e0 AS DOUBLE)) AS zw_10,
    CASE
      WHEN zu_t <= CAST('2026-03-06 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_6, CAST(0e0 AS DOUBLE))
    END AS zw_11,
    CASE
      WHEN zu_t <= CAST('2026-03-19 00:00:00' AS TIMESTAMP)
      THEN COALESCE(zf4_2_1, CAST(0e0 AS DOUBLE))
    END AS zw_12,
    CASE
      WHEN zu_t <= CAST('2026-03-19 00:00:00' AS TIMESTAMP)
      THEN COALESCE(zf4_1_1, CAST(0e0 AS DOUBLE))
    END AS zw_13,
    CASE
      WHEN zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
      THEN COALESCE(za1_7, CAST(0e0 AS DOUBLE))
    END AS zw_14,
    COALESCE(za1_n, 0) AS zw_15,
    COALESCE(za1_early, 0) AS zw_16
  FROM zu
  LEFT JOIN za1
    ON za1_u = zu_u
  LEFT JOIN zf4_2
    ON zf4_2_u = zu_u
  LEFT JOIN zf4_1
    ON zf4_1_u = zu_u
), zb AS (
  SELECT
    0 AS zb_1
  UNION ALL
  SELECT
    1 AS zb_1
), zk AS (
  SELECT
    zb_1 AS zk_a,
    CASE WHEN zb_1 = 1 THEN zw_g0 END AS zk_l,
    zw_v AS zk_v,
    zw_m AS zk_m,
    CASE WHEN zb_1 = 0 THEN zw_day END AS zk_day,
    zw_e AS zk_e,
    zw_10 AS zk_10,
    zw_11 AS zk_11,
    zw_12 AS zk_12,
    zw_13 AS zk_13,
    zw_14 AS zk_14,
    zw_6 AS zk_6,
    zw_7 AS zk_7,
    zw_8 AS zk_8,
    zw_9 AS zk_9,
    zw_15 AS zk_15,
    zw_16 AS zk_16
  FROM zw
  CROSS JOIN zb
), zm AS (
  SELECT
    zk_v AS zm_variant,
    zk_m AS zm_mixed,
    zk_day AS zm_day,
    zk_e AS zm_epoch,
    zk_a AS zm_attribute,
    zk_l AS zm_level,
    zk_15 AS zm_7,
    zk_16 AS zm_8,
    zk_6 AS zm_9,
    CASE
      WHEN zk_6 > CAST(:revenue_upper AS DOUBLE)
      THEN CAST(:revenue_upper AS DOUBLE)
      ELSE zk_6
    END AS zm_10,
    CASE
      WHEN zk_7 > CAST(:revenue_upper AS DOUBLE)
      THEN CAST(:revenue_upper AS DOUBLE)
      ELSE zk_7
    END AS zm_11,
    zk_8 AS zm_12,
    zk_9 AS zm_13,
    zk_10 AS zm_14,
    zk_11 AS zm_15,
    zk_12 AS zm_16,
    zk_13 AS zm_17,
    zk_14 AS zm_18
  FROM zk
)
SELECT
  zm_variant AS z_variant,
  zm_mixed AS z_mixed,
  zm_day AS z_day,
  zm_epoch AS z_epoch,
  zm_attribute AS z_attribute,
  zm_level AS z_level,
  COUNT(*) AS z_7,
  SUM(zm_7) AS z_8,
  SUM(zm_8) AS z_9,
  COUNT(zm_9) AS z_10,
  SUM(zm_10) AS z_11,
  SUM(zm_11) AS z_12,
  SUM(zm_12) AS z_13,
  SUM(zm_10 * zm_10) AS z_14,
  SUM(zm_10 * zm_11) AS z_15,
  SUM(zm_10 * zm_12) AS z_16,
  SUM(zm_11 * zm_11) AS z_17,
  SUM(zm_11 * zm_12) AS z_18,
  SUM(zm_10 * zm_10 * zm_10) AS z_19,
  MAX(ABS(zm_9)) AS z_20,
  SUM(CASE WHEN zm_9 < 0 THEN 1 ELSE 0 END) AS z_21,
  COUNT(CASE WHEN zm_9 > CAST(:revenue_upper AS DOUBLE) THEN 1 END) AS z_22,
  SUM(zm_9) AS z_23,
  SUM(zm_9 * zm_9) AS z_24,
  SUM(zm_9 * zm_9 * zm_9) AS z_25,
  SUM(zm_13) AS z_26,
  SUM(zm_14) AS z_27,
  SUM(zm_13 * zm_13) AS z_28,
  SUM(zm_13 * zm_14) AS z_29,
  SUM(zm_14 * zm_14) AS z_30,
  SUM(zm_13 * zm_13 * zm_13) AS z_31,
  MAX(ABS(zm_13)) AS z_32,
  SUM(CASE WHEN zm_13 < 0 THEN 1 ELSE 0 END) AS z_33,
  COUNT(zm_15) AS z_34,
  SUM(zm_15) AS z_35,
  COUNT(zm_16) AS z_36,
  SUM(zm_16) AS z_37,
  SUM(zm_17) AS z_38,
  SUM(zm_16 * zm_17) AS z_39,
  SUM(zm_18) AS z_40,
  SUM(zm_18 * zm_18) AS z_41,
  SUM(zm_18 * zm_18 * zm_18) AS z_42,
  MAX(ABS(zm_18)) AS z_43,
  SUM(CASE WHEN zm_18 < 0 THEN 1 ELSE 0 END) AS z_44
FROM zm
GROUP BY
  zm_variant,
  zm_mixed,
  zm_day,
  zm_epoch,
  zm_attribute,
  zm_level;

-- cutoffs
WITH zx AS (
  SELECT
    `user_id` AS zx_u,
    CAST(`variant` AS STRING) AS zx_v,
    `ts` AS zx_t,
    CAST(`epoch` AS STRING) AS zx_1
  FROM `analytics`.`exposures`
  WHERE
    CAST(`variant` AS STRING) IN ('control', 'treatment')
    AND NOT `user_id` IS NULL
    AND NOT (
      `user_id` = '' OR `user_id` LIKE ' %' AND TRIM(`user_id`) = ''
    )
    AND CAST(`reason` AS STRING) = 'SPLIT'
    AND NOT `ts` IS NULL
    AND `ts` >= CAST('2026-03-02 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
), zp AS (
  SELECT
    zx_u AS zp_u,
    MIN(zx_t) AS zp_t,
    CASE WHEN MIN(zx_v) <> MAX(zx_v) THEN 1 ELSE 0 END AS zp_m
  FROM zx
  GROUP BY
    zx_u,
    zx_1
), zf AS (
  SELECT
    zp_u AS zf_u,
    MIN(zp_t) AS zf_t,
    MAX(zp_m) AS zf_m
  FROM zp
  GROUP BY
    zp_u
), zu AS (
  SELECT
    zf_u AS zu_u,
    zf_t AS zu_t,
    zf_m AS zu_m,
    MIN(zx_v) AS zu_v,
    MIN(zx_1) AS zu_1
  FROM zx
  INNER JOIN zf
    ON zf_u = zx_u
  WHERE
    zx_t = zf_t
  GROUP BY
    zf_u,
    zf_t,
    zf_m
), zb AS (
  SELECT
    zx_u AS zb_u,
    zx_v AS zb_v,
    MIN(zx_t) AS zb_t,
    zx_1 AS zb_e
  FROM zx
  GROUP BY
    zx_u,
    zx_1,
    zx_v
), zc AS (
  SELECT
    zb_u AS zc_u,
    zb_t AS zc_t,
    ROW_NUMBER() OVER (PARTITION BY zb_u, zb_e ORDER BY zb_t NULLS LAST, zb_v NULLS LAST) AS zc_rank
  FROM zb
), zy AS (
  SELECT
    zc_u AS zy_u,
    MIN(zc_t) AS zy_t
  FROM zc
  WHERE
    zc_rank = 2
  GROUP BY
    zc_u
), zz AS (
  SELECT
    zy_u AS zz_u,
    2 - CASE
      WHEN zy_t < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
      THEN CASE WHEN zy_t < CAST('2026-03-09 00:00:00' AS TIMESTAMP) THEN 0 ELSE 1 END
      ELSE 2
    END AS zz_n
  FROM zy
), zv AS (
  SELECT
    zu_u AS zu_u,
    zu_t AS zu_t,
    zu_v AS zu_v,
    zu_1 AS zu_1,
    CASE
      WHEN zu_t < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
      THEN CASE WHEN zu_t < CAST('2026-03-09 00:00:00' AS TIMESTAMP) THEN 0 ELSE 1 END
      ELSE 2
    END AS zu_k,
    2 - COALESCE(zz_n, 0) AS zu_x
  FROM zu
  LEFT JOIN zz
    ON zz_u = zu_u
), zr1 AS (
  SELECT
    `user_id` AS zr1_u,
    `ts` AS zr1_t,
    CAST(`amount` AS DOUBLE) AS zr1_1,
    `session_id` AS zr1_2,
    CASE
      WHEN `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
      THEN CASE WHEN `ts` < CAST('2026-03-09 00:00:00' AS TIMESTAMP) THEN 0 ELSE 1 END
      ELSE 2
    END AS zr1_k,
    `order_id` AS zr1_id
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-03-01 23:59:55' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
), zq1 AS (
  SELECT
    zr1_u AS zq1_u,
    zr1_t AS zq1_t,
    zr1_1 AS zq1_1,
    zr1_2 AS zq1_2,
    zr1_k AS zq1_k,
    zr1_id AS zq1_id,
    ROW_NUMBER() OVER (PARTITION BY zr1_id ORDER BY zr1_t NULLS LAST, zr1_u NULLS LAST) AS zq1_rank
  FROM zr1
), zd1 AS (
  SELECT
    zq1_u AS zr1_u,
    zq1_t AS zr1_t,
    zq1_1 AS zr1_1,
    zq1_2 AS zr1_2,
    zq1_k AS zr1_k,
    zq1_id AS zr1_id
  FROM zq1
  WHERE
    zq1_rank = 1 OR zq1_id IS NULL
), za1 AS (
  SELECT
    zu_u AS za1_u,
    SUM(CASE WHEN zr1_t >= zu_t THEN zr1_1 END) AS za1_1,
    COUNT(*) AS za1_n,
    COUNT(CASE WHEN zr1_t < zu_t AND zr1_t >= zu_t - INTERVAL '5' SECOND THEN 1 END) AS za1_early,
    zr1_k AS za1_k,
    MIN(zu_k) AS za1_k0
  FROM zd1
  INNER JOIN zv
    ON zu_u = zr1_u
  GROUP BY
    zu_u,
    zr1_k
), zt1 AS (
  SELECT
    zu_u AS zt1_u,
    MIN(zr1_k) AS zt1_k,
    MIN(zu_k) AS zt1_k0
  FROM zd1
  INNER JOIN zv
    ON zu_u = zr1_u
  WHERE
    zr1_t >= zu_t AND NOT zr1_2 IS NULL
  GROUP BY
    zu_u,
    zr1_2
), zk AS (
  SELECT
    zu_u AS zk_u,
    zu_k AS zk_k,
    CAST(0e0 AS DOUBLE) AS zk_1,
    CAST(0e0 AS DOUBLE) AS zk_2
  FROM zv
  UNION ALL
  SELECT
    zu_u AS zk_u,
    zu_x AS zk_k,
    CAST(0e0 AS DOUBLE) AS zk_1,
    CAST(0e0 AS DOUBLE) AS zk_2
  FROM zv
  WHERE
    zu_x < 2
  UNION ALL
  SELECT
    za1_u AS zk_u,
    CASE WHEN za1_k < za1_k0 THEN za1_k0 ELSE za1_k END AS zk_k,
    COALESCE(za1_1, CAST(0e0 AS DOUBLE)) AS zk_1,
    CAST(0e0 AS DOUBLE) AS zk_2
  FROM za1
  UNION ALL
  SELECT
    zt1_u AS zk_u,
    CASE WHEN zt1_k < zt1_k0 THEN zt1_k0 ELSE zt1_k END AS zk_k,
    CAST(0e0 AS DOUBLE) AS zk_1,
    COALESCE(CAST(1e0 AS DOUBLE), CAST(0e0 AS DOUBLE)) AS zk_2
  FROM zt1
), zg AS (
  SELECT
    zk_u AS zg_u,
    zk_k AS zg_k,
    SUM(zk_1) AS zg_1,
    SUM(zk_2) AS zg_2
  FROM zk
  GROUP BY
    zk_u,
    zk_k
), zh AS (
  SELECT
    zg_u AS zh_u,
    zg_k AS zh_k,
    SUM(zg_1) OVER (
      PARTITION BY zg_u
      ORDER BY zg_k NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS zh_1,
    zg_1 AS zh_o1,
    SUM(zg_2) OVER (
      PARTITION BY zg_u
      ORDER BY zg_k NULLS LAST
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS zh_2,
    zg_2 AS zh_o2
  FROM zg
), zj AS (
  SELECT
    zu_v AS zj_variant,
    zu_1 AS zj_epoch,
    zh_k AS zj_k,
    CASE WHEN zh_k < zu_x THEN 1 ELSE 0 END AS zj_a,
    CASE WHEN zh_k > zu_k THEN 1 ELSE 0 END AS zj_b,
    CASE WHEN zh_k < zu_x THEN zh_1 ELSE CAST(0e0 AS DOUBLE) END AS zj_6,
    CASE WHEN zh_k > zu_k THEN zh_1 - zh_o1 ELSE CAST(0e0 AS DOUBLE) END AS zj_7,
    CASE WHEN zh_k < zu_x THEN zh_2 ELSE CAST(0e0 AS DOUBLE) END AS zj_8,
    CASE WHEN zh_k > zu_k THEN zh_2 - zh_o2 ELSE CAST(0e0 AS DOUBLE) END AS zj_9
  FROM zh
  INNER JOIN zv
    ON zu_u = zh_u
  WHERE
    zh_k <= zu_x
)
SELECT
  zj_variant AS z_variant,
  zj_epoch AS z_epoch,
  zj_k AS z_cut,
  SUM(zj_a - zj_b) AS z_4,
  SUM(zj_6 - zj_7) AS z_5,
  SUM(zj_8 - zj_9) AS z_6,
  SUM((
    zj_6 * zj_6
  ) - (
    zj_7 * zj_7
  )) AS z_7,
  SUM((
    zj_6 * zj_8
  ) - (
    zj_7 * zj_9
  )) AS z_8,
  SUM((
    zj_8 * zj_8
  ) - (
    zj_9 * zj_9
  )) AS z_9,
  SUM((
    zj_6 * zj_6 * zj_6
  ) - (
    zj_7 * zj_7 * zj_7
  )) AS z_10
FROM zj
GROUP BY
  zj_variant,
  zj_epoch,
  zj_k;

-- ranks:slow:count
WITH zx AS (
  SELECT
    `user_id` AS zx_u,
    CAST(`variant` AS STRING) AS zx_v,
    `ts` AS zx_t,
    CAST(`epoch` AS STRING) AS zx_1,
    CAST(`country` AS STRING) AS zx_2
  FROM `analytics`.`exposures`
  WHERE
    CAST(`variant` AS STRING) IN ('control', 'treatment')
    AND NOT `user_id` IS NULL
    AND NOT (
      `user_id` = '' OR `user_id` LIKE ' %' AND TRIM(`user_id`) = ''
    )
    AND CAST(`reason` AS STRING) = 'SPLIT'
    AND NOT `ts` IS NULL
    AND `ts` >= CAST('2026-03-02 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zp AS (
  SELECT
    zx_u AS zp_u,
    MIN(zx_t) AS zp_t,
    CASE WHEN MIN(zx_v) <> MAX(zx_v) THEN 1 ELSE 0 END AS zp_m
  FROM zx
  GROUP BY
    zx_u,
    zx_1
), zf AS (
  SELECT
    zp_u AS zf_u,
    MIN(zp_t) AS zf_t,
    MAX(zp_m) AS zf_m
  FROM zp
  GROUP BY
    zp_u
), zu AS (
  SELECT
    zf_u AS zu_u,
    zf_t AS zu_t,
    zf_m AS zu_m,
    MIN(zx_v) AS zu_v,
    MIN(zx_1) AS zu_1,
    MIN(zx_2) AS zu_2
  FROM zx
  INNER JOIN zf
    ON zf_u = zx_u
  WHERE
    zx_t = zf_t
  GROUP BY
    zf_u,
    zf_t,
    zf_m
), zr AS (
  SELECT
    `user_id` AS zr_u,
    `ts` AS zr_t,
    CAST(`ms` AS DOUBLE) AS zr_y,
    `order_id` AS zr_id
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-03-01 23:59:55' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zq AS (
  SELECT
    zr_u AS zq_u,
    zr_t AS zq_t,
    zr_y AS zq_y,
    zr_id AS zq_id,
    ROW_NUMBER() OVER (PARTITION BY zr_id ORDER BY zr_t NULLS LAST, zr_u NULLS LAST) AS zq_rank
  FROM zr
), zt AS (
  SELECT
    zu_u AS zt_u,
    zq_y AS zt_y,
    zu_v AS zt_v,
    zu_2 AS zt_g0
  FROM zq
  INNER JOIN zu
    ON zu_u = zq_u
  WHERE
    zq_t >= zu_t
    AND zq_t < zu_t + INTERVAL '7' DAY
    AND zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
    AND zu_m = 0
    AND (
      zq_rank = 1 OR zq_id IS NULL
    )
), zb AS (
  SELECT
    0 AS zb_1
  UNION ALL
  SELECT
    1 AS zb_1
), zv AS (
  SELECT
    zt_u AS zv_u,
    zt_y AS zv_y,
    zt_v AS zv_v,
    zb_1 AS zv_a,
    CASE WHEN zb_1 = 1 THEN zt_g0 END AS zv_l
  FROM zt
  CROSS JOIN zb
  WHERE
    NOT zt_y IS NULL
)
SELECT
  zv_v AS z_v,
  zv_a AS z_a,
  zv_l AS z_l,
  COUNT(*) AS z_n
FROM zv
GROUP BY
  zv_v,
  zv_a,
  zv_l;

-- ranks:slow
WITH zx AS (
  SELECT
    `user_id` AS zx_u,
    CAST(`variant` AS STRING) AS zx_v,
    `ts` AS zx_t,
    CAST(`epoch` AS STRING) AS zx_1,
    CAST(`country` AS STRING) AS zx_2
  FROM `analytics`.`exposures`
  WHERE
    CAST(`variant` AS STRING) IN ('control', 'treatment')
    AND NOT `user_id` IS NULL
    AND NOT (
      `user_id` = '' OR `user_id` LIKE ' %' AND TRIM(`user_id`) = ''
    )
    AND CAST(`reason` AS STRING) = 'SPLIT'
    AND NOT `ts` IS NULL
    AND `ts` >= CAST('2026-03-02 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-16 00:00:00' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zp AS (
  SELECT
    zx_u AS zp_u,
    MIN(zx_t) AS zp_t,
    CASE WHEN MIN(zx_v) <> MAX(zx_v) THEN 1 ELSE 0 END AS zp_m
  FROM zx
  GROUP BY
    zx_u,
    zx_1
), zf AS (
  SELECT
    zp_u AS zf_u,
    MIN(zp_t) AS zf_t,
    MAX(zp_m) AS zf_m
  FROM zp
  GROUP BY
    zp_u
), zu AS (
  SELECT
    zf_u AS zu_u,
    zf_t AS zu_t,
    zf_m AS zu_m,
    MIN(zx_v) AS zu_v,
    MIN(zx_1) AS zu_1,
    MIN(zx_2) AS zu_2
  FROM zx
  INNER JOIN zf
    ON zf_u = zx_u
  WHERE
    zx_t = zf_t
  GROUP BY
    zf_u,
    zf_t,
    zf_m
), zr AS (
  SELECT
    `user_id` AS zr_u,
    `ts` AS zr_t,
    CAST(`ms` AS DOUBLE) AS zr_y,
    `order_id` AS zr_id
  FROM `analytics`.`orders`
  WHERE
    `ts` >= CAST('2026-03-01 23:59:55' AS TIMESTAMP)
    AND `ts` < CAST('2026-03-20 00:00:00' AS TIMESTAMP)
), zq AS (
  SELECT
    zr_u AS zq_u,
    zr_t AS zq_t,
    zr_y AS zq_y,
    zr_id AS zq_id,
    ROW_NUMBER() OVER (PARTITION BY zr_id ORDER BY zr_t NULLS LAST, zr_u NULLS LAST) AS zq_rank
  FROM zr
), zt AS (
  SELECT
    zu_u AS zt_u,
    zq_y AS zt_y,
    zu_v AS zt_v,
    zu_2 AS zt_g0
  FROM zq
  INNER JOIN zu
    ON zu_u = zq_u
  WHERE
    zq_t >= zu_t
    AND zq_t < zu_t + INTERVAL '7' DAY
    AND zu_t <= CAST('2026-03-13 00:00:00' AS TIMESTAMP)
    AND zu_m = 0
    AND (
      zq_rank = 1 OR zq_id IS NULL
    )
), zb AS (
  SELECT
    0 AS zb_1
  UNION ALL
  SELECT
    1 AS zb_1
), zv AS (
  SELECT
    zt_u AS zv_u,
    zt_y AS zv_y,
    zt_v AS zv_v,
    zb_1 AS zv_a,
    CASE WHEN zb_1 = 1 THEN zt_g0 END AS zv_l
  FROM zt
  CROSS JOIN zb
  WHERE
    NOT zt_y IS NULL
), zo AS (
  SELECT
    zv_v AS zo_v,
    zv_a AS zo_a,
    zv_l AS zo_l,
    zv_y AS zo_y,
    ROW_NUMBER() OVER (PARTITION BY zv_v, zv_a, zv_l ORDER BY zv_y NULLS LAST) AS zo_rank
  FROM zv
)
SELECT
  zo_v AS z_v,
  zo_a AS z_a,
  zo_l AS z_l,
  zo_rank AS z_rank,
  zo_y AS z_y
FROM zo
WHERE
  zo_rank IN (:below_rank, :above_rank, :lower_rank, :upper_rank);
