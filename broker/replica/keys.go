package replica

import (
	"strconv"
	"time"
)

// fromKeys takes them from the broker's own values. What is no number or out of range has been refused before.
func (f *Fetch) fromKeys(static map[string]string) {
	number := func(key string, least, most int64, set func(n int64)) {
		if n, err := strconv.ParseInt(static[key], 10, 64); err == nil && n >= least && n <= most {
			set(n)
		}
	}
	const day = 24 * 60 * 60 * 1000
	millis := func(key string, d *time.Duration) {
		number(key, 1, day, func(n int64) { *d = time.Duration(n) * time.Millisecond })
	}
	bytes := func(key string, b *int32) { number(key, 1, 1<<30, func(n int64) { *b = int32(n) }) }
	number("num.replica.fetchers", 1, 64, func(n int64) { f.Fetchers = int(n) })
	millis("replica.fetch.wait.max.ms", &f.FetchWait)
	millis("replica.fetch.backoff.ms", &f.FetchBackoff)
	millis("replica.lag.time.max.ms", &f.LagMax)
	bytes("replica.fetch.min.bytes", &f.FetchMinBytes)
	bytes("replica.fetch.max.bytes", &f.FetchMaxBytes)
	bytes("replica.fetch.response.max.bytes", &f.FetchResponseMaxBytes)
}
