package broker_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/brokertest"
)

// eventually asks again and again until cond holds; the nodes run in real time.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if cond() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

// describeQuorum asks any node who votes and who follows, by node id with the log end.
func describeQuorum(ctx context.Context, client *kgo.Client) (leader int32, voters, observers map[int32]kmsg.DescribeQuorumResponseTopicPartitionReplicaState, err error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	rt := kmsg.NewDescribeQuorumRequestTopic()
	rt.Topic, rt.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{}}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return 0, nil, nil, err
	}
	p := &resp.Topics[0].Partitions[0]
	voters, observers = map[int32]kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}, map[int32]kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	for _, v := range p.CurrentVoters {
		voters[v.ReplicaID] = v
	}
	for _, o := range p.Observers {
		observers[o.ReplicaID] = o
	}
	return p.LeaderID, voters, observers, kerr.ErrorForCode(p.ErrorCode)
}

func TestCluster(t *testing.T) {
	c := brokertest.StartCluster(t, 3)
	client := c.Client(kgo.DefaultProduceTopic("orders"))
	admin := kadm.NewClient(client)
	create := func(name string, replicas int16) {
		t.Helper()
		if _, err := admin.CreateTopic(t.Context(), 6, replicas, nil, name); err != nil {
			t.Fatalf("create %s: %v", name, err)
		}
	}
	produce := func() {
		t.Helper()
		for i := range 20 {
			if err := client.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	create("orders", 3)
	produce()

	t.Run("every node answers admin requests and says the same", func(t *testing.T) {
		for _, n := range c.Nodes {
			conn := n.Dial()
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Version, req.TimeoutMillis = 7, 10_000
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = fmt.Sprint("by-", n.ID), 1, 1
			req.Topics = append(req.Topics, rt)
			if got := conn.Request(req).(*kmsg.CreateTopicsResponse).Topics[0]; got.ErrorCode != 0 {
				t.Errorf("%v: %v %v", n, kerr.ErrorForCode(got.ErrorCode), got.ErrorMessage)
			}
			meta := kmsg.NewPtrMetadataRequest()
			meta.Version = 9
			mt := kmsg.NewMetadataRequestTopic()
			mt.Topic = &rt.Topic
			meta.Topics = append(meta.Topics, mt)
			got := conn.Request(meta).(*kmsg.MetadataResponse)
			if len(got.Brokers) != 3 || got.ControllerID != c.Controller().ID || got.Topics[0].ErrorCode != 0 {
				t.Errorf("%v: %d brokers, controller %d, topic %v; what a node created it must know", n, len(got.Brokers), got.ControllerID, kerr.ErrorForCode(got.Topics[0].ErrorCode))
			}
			ids := kmsg.NewPtrInitProducerIDRequest()
			ids.Version = 4
			if id := conn.Request(ids).(*kmsg.InitProducerIDResponse); id.ErrorCode != 0 {
				t.Errorf("%v: producer id: %v", n, kerr.ErrorForCode(id.ErrorCode))
			}
		}
	})

	t.Run("another node takes over from a killed controller", func(t *testing.T) {
		old := c.Controller()
		began := time.Now()
		old.Kill()
		stopped := time.Since(began)
		next := c.Controller()
		elected := time.Since(began)
		create("after-kill", 1)
		t.Logf("stopping took %v, the election %v, with a command %v", stopped, elected, time.Since(began))
		if next.ID == old.ID {
			t.Fatalf("%v is still the controller", old)
		}
		eventually(t, "the dead broker is fenced", func() bool {
			brokers, err := admin.ListBrokers(t.Context())
			return err == nil && len(brokers) == 2
		})
		produce()
		old.Start()
		eventually(t, "the broker is back", func() bool {
			brokers, err := admin.ListBrokers(t.Context())
			return err == nil && len(brokers) == 3
		})
	})

	t.Run("a voter with an empty disk comes back as another member", func(t *testing.T) {
		victim := c.Nodes[2]
		_, before, _, err := describeQuorum(t.Context(), client)
		if err != nil {
			t.Fatal(err)
		}
		victim.Kill()
		if err := os.RemoveAll(victim.Dir()); err != nil {
			t.Fatal(err)
		}
		victim.Start()
		eventually(t, "it votes again", func() bool {
			_, voters, observers, err := describeQuorum(t.Context(), client)
			return err == nil && len(voters) == 3 && len(observers) == 0 && voters[victim.ID].ReplicaDirectoryID != before[victim.ID].ReplicaDirectoryID
		})
		create("after-wipe", 1)
	})

	t.Run("a cluster that was stopped as a whole goes on", func(t *testing.T) {
		id := c.Nodes[0].Broker().ClusterID()
		c.RestartAll()
		create("after-restart", 3)
		produce()
		if got := c.Nodes[2].Broker().ClusterID(); got != id {
			t.Errorf("cluster %s became %s", id, got)
		}
	})

	t.Run("a fourth node follows, and can be made a voter and back", func(t *testing.T) {
		node := c.Add()
		var dir [16]byte
		eventually(t, "it is an observer", func() bool {
			_, voters, observers, err := describeQuorum(t.Context(), client)
			dir = observers[node.ID].ReplicaDirectoryID
			return err == nil && len(voters) == 3 && dir != [16]byte{}
		})
		add := kmsg.NewPtrAddRaftVoterRequest()
		add.VoterID, add.VoterDirectoryID, add.TimeoutMillis = node.ID, dir, 10_000
		if resp, err := add.RequestWith(t.Context(), client); err != nil || resp.ErrorCode != 0 {
			t.Fatalf("add voter: %v, %+v", err, resp)
		}
		eventually(t, "it votes", func() bool {
			_, voters, _, err := describeQuorum(t.Context(), client)
			return err == nil && len(voters) == 4
		})
		remove := kmsg.NewPtrRemoveRaftVoterRequest()
		remove.VoterID, remove.VoterDirectoryID = node.ID, dir
		if resp, err := remove.RequestWith(t.Context(), client); err != nil || resp.ErrorCode != 0 {
			t.Fatalf("remove voter: %v, %+v", err, resp)
		}
		eventually(t, "it follows again", func() bool {
			_, voters, observers, err := describeQuorum(t.Context(), client)
			return err == nil && len(voters) == 3 && len(observers) == 1
		})
		node.Restart()
		node.Stop()
		gone := kmsg.NewPtrUnregisterBrokerRequest()
		gone.BrokerID = node.ID
		eventually(t, "it is forgotten", func() bool {
			resp, err := gone.RequestWith(t.Context(), client)
			if err != nil || resp.ErrorCode != 0 {
				return false
			}
			_, voters, observers, err := describeQuorum(t.Context(), client)
			return err == nil && len(voters) == 3 && len(observers) == 0
		})
	})

	t.Run("a controller that is cut off is replaced, and follows when it is back", func(t *testing.T) {
		old := c.Controller()
		for _, n := range c.Nodes[:3] {
			if n.ID != old.ID {
				c.Cut(old.ID, n.ID)
			}
		}
		eventually(t, "another one leads", func() bool {
			for _, n := range c.Nodes[:3] {
				if n.ID != old.ID && (n.Broker().ControllerID() == old.ID || n.Broker().ControllerID() < 0) {
					return false
				}
			}
			return true
		})
		c.Heal()
		eventually(t, "the old one follows", func() bool { return old.Broker().ControllerID() == c.Controller().ID && old.ID != c.Controller().ID })
		create("after-cut", 1)
	})
}
