package partition

import (
	"slices"
	"testing"
	"time"
)

// leader123 leads epoch 4 of a partition on 1, 2 and 3 whose log ended at 100 when the epoch began.
func leader123(isr ...int32) *leading {
	l := &leading{}
	l.lead(Leadership{Self: 1, LeaderEpoch: 4, PartitionEpoch: 9, Replicas: []int32{1, 2, 3}, ISR: isr}, 100, time.Unix(0, 0))
	return l
}

func (l *leading) fetchAt(id int32, offset, end int64, seconds int64) {
	l.fetched(FollowerFetch{Replica: id, BrokerEpoch: int64(id) * 10, LeaderEpoch: 4, Offset: offset, Eligible: true}, end, time.Unix(seconds, 0))
}

func members(c *ISRChange) []int32 {
	if c == nil {
		return nil
	}
	var ids []int32
	for _, m := range c.ISR {
		ids = append(ids, m.ID)
	}
	return ids
}

const lag = 10 * time.Second

func TestHighWatermark(t *testing.T) {
	for _, test := range []struct {
		name   string
		isr    []int32
		minISR int
		do     func(l *leading)
		own    int64
		at     int64 // seconds
		want   int64
	}{
		{"nobody has fetched", []int32{1, 2, 3}, 1, func(*leading) {}, 120, 1, 90},
		{"one of two", []int32{1, 2, 3}, 1, func(l *leading) { l.fetchAt(2, 110, 120, 1) }, 120, 1, 90},
		{"the slowest counts", []int32{1, 2, 3}, 1, func(l *leading) { l.fetchAt(2, 110, 120, 1); l.fetchAt(3, 105, 120, 1) }, 120, 1, 105},
		{"the leader may be the slowest", []int32{1, 2, 3}, 1, func(l *leading) { l.fetchAt(2, 110, 120, 1); l.fetchAt(3, 110, 120, 1) }, 103, 1, 103},
		{"never back", []int32{1}, 1, func(*leading) {}, 80, 1, 90},
		{"alone in sync", []int32{1}, 1, func(*leading) {}, 120, 1, 120},
		{"too few in sync", []int32{1}, 2, func(*leading) {}, 120, 1, 90},
		{"one who is about to join is waited for", []int32{1}, 1, func(l *leading) { l.fetchAt(2, 95, 95, 1); l.fetchAt(2, 95, 120, 1) }, 120, 2, 95},
		{"not for ever", []int32{1}, 1, func(l *leading) { l.fetchAt(2, 95, 95, 1); l.fetchAt(2, 95, 120, 1) }, 120, 60, 120},
		{"one who is asked for counts", []int32{1}, 1, func(l *leading) {
			l.fetchAt(2, 120, 120, 1)
			if l.change(90, 120, lag, time.Unix(1, 0)) == nil {
				panic("no change")
			}
			l.find(2).offset = 101
		}, 130, 60, 101},
	} {
		l := leader123(test.isr...)
		test.do(l)
		if got := l.highWatermark(90, test.own, test.minISR, lag, time.Unix(test.at, 0)); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestWantedISR(t *testing.T) {
	for _, test := range []struct {
		name string
		isr  []int32
		do   func(l *leading)
		at   int64
		want []int32 // nil: no change
	}{
		{"all well", []int32{1, 2, 3}, func(l *leading) { l.fetchAt(2, 120, 120, 1); l.fetchAt(3, 119, 120, 1) }, 2, nil},
		{"silent and behind", []int32{1, 2, 3}, func(l *leading) { l.fetchAt(2, 120, 120, 1); l.fetchAt(3, 119, 120, 1) }, 20, []int32{1, 2}},
		{"silent at the end", []int32{1, 2}, func(l *leading) { l.fetchAt(2, 120, 120, 1) }, 99, nil},
		{"busy: always at the end of the fetch before", []int32{1, 2}, func(l *leading) {
			for i := range int64(50) {
				l.fetchAt(2, 100+i, 101+i, i)
			}
		}, 51, nil},
		{"caught up", []int32{1}, func(l *leading) { l.fetchAt(2, 120, 120, 1) }, 1, []int32{1, 2}},
		{"at the high watermark", []int32{1}, func(l *leading) { l.fetchAt(2, 115, 120, 1) }, 1, []int32{1, 2}},
		{"below it", []int32{1}, func(l *leading) { l.fetchAt(2, 114, 120, 1) }, 1, nil},
		{"below the epoch's start", []int32{1}, func(l *leading) { l.epochStart = 118; l.fetchAt(2, 117, 120, 1) }, 1, nil},
		{"not eligible", []int32{1}, func(l *leading) { l.fetchAt(2, 120, 120, 1); l.find(2).eligible = false }, 1, nil},
		{"an answer is awaited", []int32{1}, func(l *leading) { l.fetchAt(2, 120, 120, 1); l.change(115, 120, lag, time.Unix(1, 0)) }, 1, nil},
		{"just refused", []int32{1}, func(l *leading) {
			l.fetchAt(2, 120, 120, 1)
			l.change(115, 120, lag, time.Unix(1, 0))
			l.refuse(time.Unix(1, 0))
		}, 1, nil},
		{"refused a while ago", []int32{1}, func(l *leading) {
			l.fetchAt(2, 120, 120, 1)
			l.change(115, 120, lag, time.Unix(1, 0))
			l.refuse(time.Unix(1, 0))
		}, 3, []int32{1, 2}},
	} {
		l := leader123(test.isr...)
		test.do(l)
		if got := members(l.change(115, 120, lag, time.Unix(test.at, 0))); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestRefusedTwiceSent: a copy of a refused request may still take effect, so its members count until the ISR is confirmed.
func TestRefusedTwiceSent(t *testing.T) {
	now := time.Unix(1, 0)
	l := leader123(1)
	l.fetchAt(2, 120, 120, 1)
	l.change(115, 120, lag, now)
	if l.request(); !slices.Equal(members(l.request()), []int32{1, 2}) {
		t.Fatal("the request is not repeated")
	}
	l.refuse(now)
	if !l.counted(2) {
		t.Error("2 is not waited for although a request that makes it a member may be under way")
	}
	if got := members(l.request()); !slices.Equal(got, []int32{1}) {
		t.Errorf("asks for %v, not for the ISR as it is", got)
	}
	confirmed := l.Leadership
	confirmed.PartitionEpoch++
	l.lead(confirmed, 100, now)
	if l.counted(2) || l.request() != nil {
		t.Error("still waiting under a new partition epoch")
	}
}
