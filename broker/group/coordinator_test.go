package group

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/broker/batch"
	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// fakeLog is a partition whose disk does what a test says.
type fakeLog struct {
	batches [][]byte
	ends    []int64
	end     int64
	// appendErr, if set, fails appends; durableErr fails syncs; held keeps syncs waiting; slow delays reads.
	appendErr, durableErr error
	held                  bool
	slow                  time.Duration
	waiting               []func(error)
}

func (l *fakeLog) Append(_ int32, records []byte, _ partition.AppendOptions) (partition.AppendResult, error) {
	if l.appendErr != nil {
		return partition.AppendResult{}, l.appendErr
	}
	b := batch.Batch(append([]byte(nil), records...))
	b.SetBaseOffset(l.end)
	l.end = b.NextOffset()
	l.batches, l.ends = append(l.batches, b), append(l.ends, l.end)
	return partition.AppendResult{LastOffset: l.end - 1}, nil
}

func (l *fakeLog) Read(offset int64, _ int, _ bool, _ partition.Isolation) (partition.ReadResult, error) {
	time.Sleep(l.slow) // virtual
	for i, end := range l.ends {
		if offset < end {
			return partition.ReadResult{Records: l.batches[i]}, nil
		}
	}
	return partition.ReadResult{}, nil
}

func (l *fakeLog) WhenDurable(_ int64, done func(error)) {
	if l.held {
		l.waiting = append(l.waiting, done)
		return
	}
	done(l.durableErr)
}

func (l *fakeLog) LogStartOffset() int64 { return 0 }
func (l *fakeLog) LogEndOffset() int64   { return l.end }

// fakeController holds an image.
type fakeController struct{ image *metadata.Image }

func (c *fakeController) Image() *metadata.Image { return c.image }
func (c *fakeController) CreateTopics(context.Context, []controller.NewTopic, bool) ([]controller.CreatedTopic, error) {
	return nil, errors.New("not here")
}

// change applies records to the image and tells the coordinator. Like the real one it publishes the image after that.
func (c *fakeController) change(t *testing.T, co *Coordinator, rs ...metadata.Record) {
	t.Helper()
	old := c.image
	next, err := old.Apply(old.Index()+1, rs)
	if err != nil {
		t.Fatal(err)
	}
	co.Apply(old, next)
	synctest.Wait() // whatever Apply started has run
	c.image = next
}

var (
	offsetsID = metadata.TopicID{1}
	topicID   = metadata.TopicID{2}
)

func lead(broker metadata.BrokerID, epoch metadata.LeaderEpoch) *metadata.PartitionRecord {
	return &metadata.PartitionRecord{Topic: offsetsID, Leader: broker, LeaderEpoch: epoch, Replicas: []metadata.BrokerID{1}, ISR: []metadata.BrokerID{1}}
}

// bubble runs f with a coordinator of one partition in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, co *Coordinator, log *fakeLog, ctl *fakeController)) {
	synctest.Test(t, func(t *testing.T) {
		log, ctl := &fakeLog{}, &fakeController{image: metadata.NewImage()}
		co := New(Config{NodeID: 1, Controller: ctl, Logs: func(int32) Log { return log }, Settings: EmbeddedSettings()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- co.Run(ctx) }()
		synctest.Wait()
		ctl.change(t, co, &metadata.TopicRecord{Name: metadata.OffsetsTopic, ID: offsetsID}, lead(1, 0),
			&metadata.TopicRecord{Name: "t", ID: topicID})
		f(t, co, log, ctl)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func commitOne(co *Coordinator, offset int64) <-chan error {
	answer := make(chan error, 1)
	go co.Commit(CommitRequest{MemberRef: MemberRef{Group: "g", Generation: -1}, Retention: -1, Offsets: []OffsetCommit{{TopicPartition: TopicPartition{"t", 0}, Offset: offset}}},
		func(results []error, err error) {
			if err == nil {
				err = results[0]
			}
			answer <- err
		})
	synctest.Wait()
	return answer
}

func fetchOne(co *Coordinator) (offset int64, err error) {
	answer := make(chan struct{})
	go co.FetchOffsets("g", []TopicPartition{{"t", 0}}, func(o []FetchedOffset, e error) {
		if err = e; err == nil {
			offset = o[0].Offset
		}
		close(answer)
	})
	<-answer
	return offset, err
}

func TestAnswersWaitForTheDisk(t *testing.T) {
	bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, _ *fakeController) {
		wantErr(t, "first commit", <-commitOne(co, 1), nil)
		log.held = true
		answer := commitOne(co, 2)
		read := make(chan int64, 1)
		go func() { o, _ := fetchOne(co); read <- o }()
		synctest.Wait()
		if len(answer) > 0 || len(read) > 0 {
			t.Error("answered before the commit was durable")
		}
		log.held = false
		for _, done := range log.waiting {
			done(nil)
		}
		wantErr(t, "commit", <-answer, nil)
		if o := <-read; o != 2 {
			t.Errorf("read %d", o)
		}
	})
}

func TestFailedWrites(t *testing.T) {
	t.Run("append", func(t *testing.T) {
		bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, _ *fakeController) {
			wantErr(t, "commit", <-commitOne(co, 1), nil)
			log.appendErr = partition.ErrNoSpace
			wantErr(t, "commit on a full disk", <-commitOne(co, 2), kerr.CoordinatorNotAvailable)
			if o, err := fetchOne(co); o != 1 || err != nil {
				t.Errorf("after the failure: %d, %v; want what is in the log", o, err)
			}
			log.appendErr = nil
			wantErr(t, "commit with space again", <-commitOne(co, 3), nil)
			if o, _ := fetchOne(co); o != 3 {
				t.Errorf("committed %d", o)
			}
		})
	})
	t.Run("sync", func(t *testing.T) {
		bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, _ *fakeController) {
			log.durableErr = partition.ErrStorage
			wantErr(t, "commit", <-commitOne(co, 1), kerr.CoordinatorNotAvailable)
		})
	})
	t.Run("a generation that cannot be written", func(t *testing.T) {
		bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, _ *fakeController) {
			joined := make(chan JoinResult, 1)
			join := func(id string) {
				go co.Join(JoinRequest{Group: "g", MemberID: id, SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute, ProtocolType: consumerType,
					Protocols: []Protocol{{"p", nil}}}, func(r JoinResult) { joined <- r })
				synctest.Wait()
			}
			join("")
			first := <-joined
			wantErr(t, "first join", first.Err, nil)
			join("") // parked: the first one must rejoin
			if len(joined) > 0 {
				t.Fatalf("%+v", <-joined)
			}
			log.appendErr = partition.ErrNoSpace
			wantErr(t, "commit", <-commitOne(co, 2), kerr.UnknownMemberID) // refused, writes nothing
			go co.Leave("g", []LeaveResult{{MemberID: first.MemberID}}, func([]LeaveResult, error) {})
			synctest.Wait() // completes the join: generation 2 with the second member, nothing written yet
			second := <-joined
			answer := make(chan SyncResult, 1)
			go co.Sync(SyncRequest{MemberRef: MemberRef{Group: "g", Generation: second.Generation, MemberID: second.MemberID}}, func(r SyncResult) { answer <- r })
			wantErr(t, "sync", (<-answer).Err, kerr.CoordinatorNotAvailable)
		})
	})
}

func TestOffsetsSurviveARestart(t *testing.T) {
	bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, _ *fakeController) {
		wantErr(t, "commit", <-commitOne(co, 7), nil)

		// Another life: the first image that is shown has the group's partition and the topic at once.
		ctl := &fakeController{image: metadata.NewImage()}
		next := New(Config{NodeID: 1, Controller: ctl, Logs: func(int32) Log { return log }, Settings: EmbeddedSettings()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- next.Run(ctx) }()
		synctest.Wait()
		ctl.change(t, next, &metadata.TopicRecord{Name: metadata.OffsetsTopic, ID: offsetsID}, lead(1, 0),
			&metadata.TopicRecord{Name: "t", ID: topicID})
		if o, err := fetchOne(next); o != 7 || err != nil {
			t.Errorf("committed offset %d, %v after the restart, want 7", o, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestLeadershipMoves(t *testing.T) {
	bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, ctl *fakeController) {
		wantErr(t, "commit", <-commitOne(co, 1), nil)
		joined := make(chan JoinResult, 2)
		for range 2 { // the second one waits for the first to rejoin
			go co.Join(JoinRequest{Group: "g", SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Minute, ProtocolType: consumerType,
				Protocols: []Protocol{{"p", nil}}}, func(r JoinResult) { joined <- r })
			synctest.Wait()
		}
		<-joined
		ctl.change(t, co, lead(2, 1))
		wantErr(t, "parked join", (<-joined).Err, kerr.NotCoordinator)
		wantErr(t, "commit at the wrong broker", <-commitOne(co, 2), kerr.NotCoordinator)
		ctl.change(t, co, lead(1, 2))
		if o, err := fetchOne(co); o != 1 || err != nil {
			t.Errorf("after the leadership came back: %d, %v", o, err)
		}
		ctl.change(t, co, lead(1, 3)) // a new epoch under the same leader
		if o, err := fetchOne(co); o != 1 || err != nil {
			t.Errorf("in a new epoch: %d, %v", o, err)
		}
		ctl.change(t, co, &metadata.RemoveTopicRecord{ID: topicID})
		synctest.Wait()
		if o, err := fetchOne(co); o != -1 || err != nil {
			t.Errorf("after the topic was deleted: %d, %v", o, err)
		}
	})
}

func TestLoading(t *testing.T) {
	bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, ctl *fakeController) {
		wantErr(t, "commit", <-commitOne(co, 7), nil)
		log.slow = 200 * time.Millisecond
		ctl.change(t, co, lead(1, 1))
		if o, err := fetchOne(co); o != 7 || err != nil {
			t.Errorf("a short load is waited for: %d, %v", o, err)
		}
		log.slow = 5 * time.Second
		ctl.change(t, co, lead(1, 2))
		if _, err := fetchOne(co); !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			t.Errorf("a long load: %v", err)
		}
		time.Sleep(6 * time.Second) // virtual
		if o, err := fetchOne(co); o != 7 || err != nil {
			t.Errorf("after the load: %d, %v", o, err)
		}
	})
}

// Compaction may take the last records of the log while the active segment is empty.
func TestLoadingALogThatEndsInAHole(t *testing.T) {
	bubble(t, func(t *testing.T, co *Coordinator, log *fakeLog, ctl *fakeController) {
		if err := <-commitOne(co, 5); err != nil {
			t.Fatal(err)
		}
		log.end += 3
		ctl.change(t, co, lead(1, 9))
		synctest.Wait()
		if got, err := fetchOne(co); got != 5 || err != nil {
			t.Errorf("offset %d, %v; want 5", got, err)
		}
	})
}

func TestPartitionOf(t *testing.T) {
	for _, c := range []struct {
		group string
		want  int32
	}{
		// What Java's String.hashCode gives, modulo 50.
		{"", 0}, {"g", 103 % 50}, {"ab", (97*31 + 98) % 50},
		{"\U0001F600", (0xD83D*31 + 0xDE00) % 50},
	} {
		if got := partitionOf(c.group, 50); got != c.want {
			t.Errorf("%q: %d, want %d", c.group, got, c.want)
		}
	}
	if got := partitionOf("a group with a long name and a large hash", 50); got < 0 || got > 49 {
		t.Errorf("partition %d", got)
	}
}
