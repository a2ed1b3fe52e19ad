package group_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/broker/group"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a broker with the settings of a log inside a worker.
func start(t *testing.T) *brokertest.Cluster {
	return brokertest.Start(t, func(c *broker.Config) { c.Groups = group.EmbeddedSettings() })
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func produce(t *testing.T, ctx context.Context, cl *kgo.Client, topic string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		cl.Produce(ctx, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// consumer polls until its context ends and reports values.
type consumer struct {
	cl   *kgo.Client
	stop func()
}

// consume starts a member of a group. seen gets every record's value.
func consume(t *testing.T, c *brokertest.Cluster, groupID, topic string, seen chan<- string, opts ...kgo.Opt) *consumer {
	t.Helper()
	cl := c.Client(append([]kgo.Opt{
		kgo.ConsumerGroup(groupID), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(200 * time.Millisecond),
	}, opts...)...)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			fs := cl.PollFetches(ctx)
			fs.EachRecord(func(r *kgo.Record) {
				select {
				case seen <- string(r.Value):
				case <-ctx.Done():
				}
			})
			if fs.NumRecords() > 0 {
				if err := cl.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
					t.Logf("commit: %v", err) // a rebalance came between: the records come again
				}
			}
			cl.AllowRebalance()
		}
	})
	k := &consumer{cl: cl}
	k.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); cl.Close() })
	t.Cleanup(k.stop)
	return k
}

// collect waits until every value from 0 to n has come.
func collect(t *testing.T, ctx context.Context, seen <-chan string, n int) {
	t.Helper()
	missing := make(map[string]bool, n)
	for i := range n {
		missing[fmt.Sprint(i)] = true
	}
	for len(missing) > 0 {
		select {
		case v := <-seen:
			delete(missing, v)
		case <-ctx.Done():
			t.Fatalf("%d of %d records are missing", len(missing), n)
		}
	}
}

// described polls a group until ok.
func described(t *testing.T, ctx context.Context, adm *kadm.Client, groupID string, ok func(kadm.DescribedGroup) bool) kadm.DescribedGroup {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ds, err := adm.DescribeGroups(ctx, groupID)
		if err == nil && ok(ds[groupID]) {
			return ds[groupID]
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("group %s: %+v, %v", groupID, ds[groupID], err)
		}
	}
}

// owners maps the partitions to the members that have them.
func owners(t *testing.T, d kadm.DescribedGroup) map[int32]string {
	owned := make(map[int32]string)
	for _, m := range d.Members {
		as, _ := m.Assigned.AsConsumer()
		for _, topic := range as.Topics {
			for _, p := range topic.Partitions {
				if other := owned[p]; other != "" {
					t.Errorf("partition %d belongs to %s and %s", p, other, m.MemberID)
				}
				owned[p] = m.MemberID
			}
		}
	}
	return owned
}

func stableWith(n int) func(kadm.DescribedGroup) bool {
	return func(d kadm.DescribedGroup) bool {
		return d.State == "Stable" && len(d.Members) == n && len(d.AssignedPartitions()) > 0
	}
}

func TestConsumerGroup(t *testing.T) {
	c := start(t)
	ctx := deadline(t)
	c.CreateTopic("orders", 6)
	cl := c.Client()
	adm := kadm.NewClient(cl)
	seen := make(chan string, 10_000)

	produce(t, ctx, cl, "orders", 0, 300)
	began := time.Now()
	a := consume(t, c, "g", "orders", seen)
	collect(t, ctx, seen, 300)
	t.Logf("first member read everything after %v", time.Since(began))

	b, d := consume(t, c, "g", "orders", seen), consume(t, c, "g", "orders", seen)
	described(t, ctx, adm, "g", func(d kadm.DescribedGroup) bool {
		return stableWith(3)(d) && len(owners(t, d)) == 6 // cooperative members give up first and get in a second round
	})
	b.stop() // leaves
	described(t, ctx, adm, "g", stableWith(2))
	produce(t, ctx, cl, "orders", 0, 600)
	collect(t, ctx, seen, 600)
	a.stop()
	d.stop()
	described(t, ctx, adm, "g", func(d kadm.DescribedGroup) bool { return d.State == "Empty" })
}

func TestOffsetsSurviveRestart(t *testing.T) {
	c := start(t)
	ctx := deadline(t)
	c.CreateTopic("orders", 2)
	cl := c.Client()
	seen := make(chan string, 10_000)
	produce(t, ctx, cl, "orders", 0, 100)
	member := consume(t, c, "g", "orders", seen)
	collect(t, ctx, seen, 100)
	lagOf := func(want int64) {
		t.Helper()
		adm := kadm.NewClient(c.Client())
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			lags, err := adm.Lag(ctx, "g")
			l := lags["g"]
			if err == nil && l.Error() == nil && len(l.Lag) > 0 && l.Lag.Total() == want {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("lag is %d, want %d (%v, %v)", l.Lag.Total(), want, err, l.Error())
			}
		}
	}
	lagOf(0)
	c.Restart()
	produce(t, ctx, c.Client(), "orders", 100, 150)
	for range 50 { // the same member, in the same generation: nothing is read again
		select {
		case v := <-seen:
			if len(v) < 3 {
				t.Fatalf("record %s was read again", v)
			}
		case <-ctx.Done():
			t.Fatal("the member did not go on after the restart")
		}
	}
	lagOf(0)
	member.stop()
	produce(t, ctx, c.Client(), "orders", 150, 160)
	lagOf(10)

	adm := kadm.NewClient(c.Client())
	described(t, ctx, adm, "g", func(d kadm.DescribedGroup) bool { return d.State == "Empty" })
	var reset kadm.Offsets
	reset.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 0, LeaderEpoch: -1})
	reset.Add(kadm.Offset{Topic: "orders", Partition: 1, At: 0, LeaderEpoch: -1})
	if err := adm.CommitAllOffsets(ctx, "g", reset); err != nil {
		t.Fatal(err)
	}
	lagOf(160)
	again := consume(t, c, "g", "orders", seen)
	collect(t, ctx, seen, 160)
	if res, err := adm.DeleteGroup(ctx, "g"); err == nil && !errors.Is(res.Err, kerr.NonEmptyGroup) || err != nil && !errors.Is(err, kerr.NonEmptyGroup) {
		t.Errorf("deleting a group with members: %+v, %v", res, err)
	}
	again.stop()
	described(t, ctx, adm, "g", func(d kadm.DescribedGroup) bool { return d.State == "Empty" })
	if _, err := adm.DeleteGroup(ctx, "g"); err != nil {
		t.Fatal(err)
	}
	c.Restart()
	groups, err := kadm.NewClient(c.Client()).ListGroups(ctx)
	if err != nil || len(groups) != 0 {
		t.Errorf("after deletion and restart: %+v, %v", groups, err)
	}
}

func TestStaticMemberRestart(t *testing.T) {
	c := start(t)
	ctx := deadline(t)
	c.CreateTopic("orders", 4)
	cl := c.Client()
	adm := kadm.NewClient(cl)
	seen := make(chan string, 10_000)
	consume(t, c, "g", "orders", seen, kgo.InstanceID("one"))
	two := consume(t, c, "g", "orders", seen, kgo.InstanceID("two"))
	before := described(t, ctx, adm, "g", stableWith(2))
	two.stop() // static members do not leave
	consume(t, c, "g", "orders", seen, kgo.InstanceID("two"))
	ids := func(d kadm.DescribedGroup) map[string]string {
		m := make(map[string]string)
		for _, dm := range d.Members {
			m[*dm.InstanceID] = dm.MemberID
		}
		return m
	}
	old := ids(before)
	after := described(t, ctx, adm, "g", func(d kadm.DescribedGroup) bool {
		return stableWith(2)(d) && ids(d)["two"] != old["two"]
	})
	if ids(after)["one"] != old["one"] {
		t.Error("the other member was replaced too")
	}
	produce(t, ctx, cl, "orders", 0, 100)
	collect(t, ctx, seen, 100)
}

// TestVersions takes a group through its life at every version of every API.
func TestVersions(t *testing.T) {
	c := start(t)
	ctx := deadline(t)
	c.CreateTopic("t", 1)
	cl := c.Client(kgo.MaxVersions(nil))
	topicID := func() [16]byte {
		ts, err := kadm.NewClient(cl).ListTopics(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		return ts["t"].ID
	}()
	send := func(req kmsg.Request, version int16) kmsg.Response {
		t.Helper()
		conn := c.Dial()
		defer conn.Close()
		req.SetVersion(version)
		return conn.Request(req)
	}
	ok := func(what string, version int16, code int16, want *kerr.Error) {
		t.Helper()
		var wantCode int16
		if want != nil {
			wantCode = want.Code
		}
		if code != wantCode {
			t.Errorf("%s v%d: %v, want %v", what, version, kerr.ErrorForCode(code), want)
		}
	}
	versions := func(key kmsg.Key, fn func(v int16)) {
		t.Helper()
		low, high := servedVersions(t, send, key)
		for v := low; v <= high; v++ {
			fn(v)
		}
	}

	versions(kmsg.FindCoordinator, func(v int16) {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = "g", []string{"g", "g"}
		resp := send(req, v).(*kmsg.FindCoordinatorResponse)
		ok("FindCoordinator", v, resp.ErrorCode, nil)
		if v < 4 && (resp.NodeID != 1 || resp.Port == 0) || v >= 4 && (len(resp.Coordinators) != 2 || resp.Coordinators[0].NodeID != 1) {
			t.Errorf("FindCoordinator v%d: %+v", v, resp)
		}
		if v == 0 {
			return
		}
		req.CoordinatorType = 9
		resp = send(req, v).(*kmsg.FindCoordinatorResponse)
		if v >= 4 {
			resp.ErrorCode = resp.Coordinators[0].ErrorCode
		}
		ok("FindCoordinator of an unknown type", v, resp.ErrorCode, kerr.InvalidRequest)
	})
	join := func(v int16, groupID string) *kmsg.JoinGroupResponse {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = groupID, 10_000, 10_000, "consumer"
		req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: metadataFor("t")}}
		resp := send(req, v).(*kmsg.JoinGroupResponse)
		if v >= 4 {
			ok("JoinGroup without an id", v, resp.ErrorCode, kerr.MemberIDRequired)
			req.MemberID = resp.MemberID
			resp = send(req, v).(*kmsg.JoinGroupResponse)
		}
		ok("JoinGroup", v, resp.ErrorCode, nil)
		if resp.Generation != 1 || resp.LeaderID != resp.MemberID || len(resp.Members) != 1 || *resp.Protocol != "range" {
			t.Errorf("JoinGroup v%d: %+v", v, resp)
		}
		return resp
	}
	leave := func(v int16, groupID, member string) {
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.MemberID, req.Members = groupID, member, []kmsg.LeaveGroupRequestMember{{MemberID: member}}
		resp := send(req, v).(*kmsg.LeaveGroupResponse)
		ok("LeaveGroup", v, resp.ErrorCode, nil)
		if v >= 3 {
			ok("LeaveGroup member", v, resp.Members[0].ErrorCode, nil)
		}
		resp = send(req, v).(*kmsg.LeaveGroupResponse)
		if v < 3 {
			ok("LeaveGroup again", v, resp.ErrorCode, kerr.UnknownMemberID)
		} else {
			ok("LeaveGroup again", v, resp.ErrorCode, nil)
			ok("LeaveGroup member again", v, resp.Members[0].ErrorCode, kerr.UnknownMemberID)
		}
	}
	versions(kmsg.JoinGroup, func(v int16) {
		id := fmt.Sprint("join", v)
		leave(5, id, join(v, id).MemberID)
	})
	versions(kmsg.LeaveGroup, func(v int16) {
		id := fmt.Sprint("leave", v)
		leave(v, id, join(3, id).MemberID)
	})

	member := join(9, "g")
	consumer, protocol := "consumer", "range"
	versions(kmsg.SyncGroup, func(v int16) {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.Generation, req.MemberID, req.ProtocolType, req.Protocol = "g", 1, member.MemberID, &consumer, &protocol
		req.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member.MemberID, MemberAssignment: []byte("mine")}}
		resp := send(req, v).(*kmsg.SyncGroupResponse)
		ok("SyncGroup", v, resp.ErrorCode, nil)
		if string(resp.MemberAssignment) != "mine" {
			t.Errorf("SyncGroup v%d: %+v", v, resp)
		}
		req.Protocol = nil
		if v >= 5 {
			ok("SyncGroup with a null protocol", v, send(req, v).(*kmsg.SyncGroupResponse).ErrorCode, kerr.InconsistentGroupProtocol)
		}
	})
	versions(kmsg.Heartbeat, func(v int16) {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.Generation, req.MemberID = "g", 1, member.MemberID
		ok("Heartbeat", v, send(req, v).(*kmsg.HeartbeatResponse).ErrorCode, nil)
		req.Generation = 7
		ok("Heartbeat of another generation", v, send(req, v).(*kmsg.HeartbeatResponse).ErrorCode, kerr.IllegalGeneration)
		req.Group = "nobody"
		ok("Heartbeat of an unknown group", v, send(req, v).(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID)
		req.Group = ""
		ok("Heartbeat of the empty group", v, send(req, v).(*kmsg.HeartbeatResponse).ErrorCode, kerr.InvalidGroupID)
	})
	versions(kmsg.OffsetCommit, func(v int16) {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation, req.MemberID, req.RetentionTimeMillis = "g", 1, member.MemberID, -1
		text := "note"
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", TopicID: topicID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{
			{Partition: 0, Offset: 40 + int64(v), LeaderEpoch: 3, Metadata: &text}, {Partition: 9, LeaderEpoch: -1},
		}}, {Topic: "gone", TopicID: [16]byte{1}, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{LeaderEpoch: -1}}}}
		resp := send(req, v).(*kmsg.OffsetCommitResponse)
		ok("OffsetCommit", v, resp.Topics[0].Partitions[0].ErrorCode, nil)
		ok("OffsetCommit of an unknown partition", v, resp.Topics[0].Partitions[1].ErrorCode, kerr.UnknownTopicOrPartition)
		unknown := kerr.UnknownTopicOrPartition
		if v >= 10 {
			unknown = kerr.UnknownTopicID
		}
		ok("OffsetCommit of an unknown topic", v, resp.Topics[1].Partitions[0].ErrorCode, unknown)
	})
	versions(kmsg.OffsetFetch, func(v int16) {
		for _, all := range []bool{false, true} {
			if all && v < 2 {
				continue
			}
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Group, req.RequireStable = "g", true
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1}}
			if !all {
				req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0, 9}}}
				req.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", TopicID: topicID, Partitions: []int32{0, 9}}}
			}
			resp := send(req, v).(*kmsg.OffsetFetchResponse)
			ok("OffsetFetch", v, resp.ErrorCode, nil)
			var offsets []int64
			var epoch int32 = 3
			var text string
			if v < 8 {
				for _, p := range resp.Topics[0].Partitions {
					offsets = append(offsets, p.Offset)
				}
				if text = *resp.Topics[0].Partitions[0].Metadata; v >= 5 {
					epoch = resp.Topics[0].Partitions[0].LeaderEpoch
				}
			} else {
				for _, p := range resp.Groups[0].Topics[0].Partitions {
					offsets = append(offsets, p.Offset)
				}
				text, epoch = *resp.Groups[0].Topics[0].Partitions[0].Metadata, resp.Groups[0].Topics[0].Partitions[0].LeaderEpoch
			}
			if offsets[0] != 50 || epoch != 3 || text != "note" || !all && offsets[1] != -1 {
				t.Errorf("OffsetFetch v%d, all %t: %v, epoch %d, %q", v, all, offsets, epoch, text)
			}
		}
	})
	versions(kmsg.DescribeGroups, func(v int16) {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"g", "nobody"}
		resp := send(req, v).(*kmsg.DescribeGroupsResponse)
		if g := resp.Groups[0]; g.ErrorCode != 0 || g.State != "Stable" || g.Protocol != "range" || len(g.Members) != 1 || string(g.Members[0].MemberAssignment) != "mine" {
			t.Errorf("DescribeGroups v%d: %+v", v, g)
		}
		var want *kerr.Error
		if v >= 6 {
			want = kerr.GroupIDNotFound
		}
		ok("DescribeGroups of an unknown group", v, resp.Groups[1].ErrorCode, want)
		if resp.Groups[1].State != "Dead" {
			t.Errorf("DescribeGroups v%d: %+v", v, resp.Groups[1])
		}
	})
	versions(kmsg.ListGroups, func(v int16) {
		req := kmsg.NewPtrListGroupsRequest()
		if v >= 4 {
			req.StatesFilter = []string{"stable"}
		}
		resp := send(req, v).(*kmsg.ListGroupsResponse)
		found := false
		for _, g := range resp.Groups {
			if g.Group == "g" && g.ProtocolType == "consumer" && (v < 4 || g.GroupState == "Stable") {
				found = true
			} else if v >= 4 {
				t.Errorf("ListGroups v%d: %+v passed the filter", v, g)
			}
		}
		if !found {
			t.Errorf("ListGroups v%d: %+v", v, resp)
		}
	})
	versions(kmsg.OffsetDelete, func(v int16) {
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = "g"
		req.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}
		resp := send(req, v).(*kmsg.OffsetDeleteResponse)
		ok("OffsetDelete", v, resp.ErrorCode, nil)
		ok("OffsetDelete of a consumed topic", v, resp.Topics[0].Partitions[0].ErrorCode, kerr.GroupSubscribedToTopic)
	})
	versions(kmsg.DeleteGroups, func(v int16) {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{"g", "nobody", fmt.Sprint("join", v)}
		resp := send(req, v).(*kmsg.DeleteGroupsResponse)
		ok("DeleteGroups with members", v, resp.Groups[0].ErrorCode, kerr.NonEmptyGroup)
		ok("DeleteGroups of an unknown group", v, resp.Groups[1].ErrorCode, kerr.GroupIDNotFound)
		ok("DeleteGroups", v, resp.Groups[2].ErrorCode, nil)
	})
}

func metadataFor(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = topics
	return m.AppendTo(nil)
}

// servedVersions asks the broker for the range of a key.
func servedVersions(t *testing.T, send func(kmsg.Request, int16) kmsg.Response, key kmsg.Key) (low, high int16) {
	t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	for _, k := range send(req, 3).(*kmsg.ApiVersionsResponse).ApiKeys {
		if k.ApiKey == key.Int16() {
			return k.MinVersion, k.MaxVersion
		}
	}
	t.Fatalf("%s is not served", key.Name())
	return 0, 0
}
