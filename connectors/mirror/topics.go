package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/connectors"
)

// partitionCounts are the topics of a cluster with their numbers of partitions.
type partitionCounts map[string]int32

// listTopics asks a cluster for its topics, without internal ones.
func listTopics(ctx context.Context, admin *kadm.Client) (partitionCounts, error) {
	details, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	counts := make(partitionCounts, len(details))
	for name, d := range details {
		if d.Err != nil && kerr.IsRetriable(d.Err) {
			return nil, fmt.Errorf("topic %s: %w", name, d.Err)
		} else if d.Err == nil {
			counts[name] = int32(len(d.Partitions))
		}
	}
	return counts, nil
}

// missing compares topics of the source with what the target has: what to create and what to enlarge there, by the remote names.
func missing(source, target partitionCounts, remote func(string) string) (create, enlarge partitionCounts) {
	create, enlarge = make(partitionCounts), make(partitionCounts)
	for topic, n := range source {
		name := remote(topic)
		switch have, ok := target[name]; {
		case !ok:
			create[name] = n
		case have < n:
			enlarge[name] = n
		}
	}
	return create, enlarge
}

// replicable are the partitions of the source that the target has too, in order.
func replicable(source, target partitionCounts, remote func(string) string) []topicPartition {
	var list []topicPartition
	for _, topic := range slices.Sorted(maps.Keys(source)) {
		for p := range min(source[topic], target[remote(topic)]) {
			list = append(list, topicPartition{topic, p})
		}
	}
	return list
}

// roundRobin deals partitions to at most n tasks.
func roundRobin(list []topicPartition, n int) [][]topicPartition {
	tasks := make([][]topicPartition, min(n, len(list)))
	for i, tp := range list {
		tasks[i%len(tasks)] = append(tasks[i%len(tasks)], tp)
	}
	return tasks
}

// inRuns divides a list into at most n runs of nearly the same length.
func inRuns(list []string, n int) [][]string {
	runs := make([][]string, min(n, len(list)))
	for i := range runs {
		// What does not divide goes to the first runs.
		size := (len(list) + len(runs) - i - 1) / (len(runs) - i)
		runs[i], list = list[:size], list[size:]
	}
	return runs
}

// A newTopic is a topic to create.
type newTopic struct {
	name       string
	partitions int32
	// replicas may be replaced by the cluster's own number if it has not as many brokers, unless they were asked for.
	replicas int16
	asked    bool
	configs  map[string]string
}

// brokersDefault lets the cluster choose the number of replicas.
const brokersDefault int16 = -1

// createTopics creates topics in one request. It reports those that are there afterwards, and what kept the others from it.
func createTopics(ctx context.Context, admin *client, topics []newTopic) (made []newTopic, err error) {
	for len(topics) > 0 {
		req := kmsg.NewPtrCreateTopicsRequest()
		if deadline, ok := ctx.Deadline(); ok {
			req.TimeoutMillis = untilMillis(deadline)
		}
		for _, t := range topics {
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.name, t.partitions, t.replicas
			for _, name := range slices.Sorted(maps.Keys(t.configs)) {
				c := kmsg.NewCreateTopicsRequestTopicConfig()
				value := t.configs[name]
				c.Name, c.Value = name, &value
				rt.Configs = append(rt.Configs, c)
			}
			req.Topics = append(req.Topics, rt)
		}
		resp, rerr := req.RequestWith(ctx, admin.raw)
		if rerr != nil {
			return made, errors.Join(err, rerr)
		}
		var again []newTopic
		for _, rt := range resp.Topics {
			i := slices.IndexFunc(topics, func(t newTopic) bool { return t.name == rt.Topic })
			if i < 0 {
				continue
			}
			t := topics[i]
			code := kerr.ErrorForCode(rt.ErrorCode)
			switch {
			case code == nil, errors.Is(code, kerr.TopicAlreadyExists):
				made = append(made, t)
			case errors.Is(code, kerr.InvalidReplicationFactor) && !t.asked && t.replicas != brokersDefault:
				t.replicas = brokersDefault
				again = append(again, t)
			default:
				if rt.ErrorMessage != nil && *rt.ErrorMessage != "" {
					code = fmt.Errorf("%w (%s)", code, *rt.ErrorMessage)
				}
				err = errors.Join(err, fmt.Errorf("create topic %s: %w", t.name, code))
			}
		}
		topics = again
	}
	return made, err
}

// enlarge gives topics more partitions; it reports those that have them now.
func enlarge(ctx context.Context, admin *client, topics partitionCounts) (made partitionCounts, err error) {
	made = make(partitionCounts)
	byCount := make(map[int32][]string)
	for topic, n := range topics {
		byCount[n] = append(byCount[n], topic)
	}
	for _, n := range slices.Sorted(maps.Keys(byCount)) {
		responses, rerr := admin.UpdatePartitions(ctx, int(n), byCount[n]...)
		if rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		for _, r := range responses.Sorted() {
			if r.Err != nil {
				err = errors.Join(err, fmt.Errorf("enlarge topic %s to %d partitions: %w", r.Topic, n, r.Err))
				continue
			}
			made[r.Topic] = n
		}
	}
	return made, err
}

// createInternal creates a compacted topic of one partition. Who may not create topics is believed to have it made by others.
func createInternal(ctx context.Context, admin *client, log connectors.Logger, s *settings, name, replicationKey string) error {
	_, err := createTopics(ctx, admin, []newTopic{{
		name: name, partitions: 1, replicas: s.Short(replicationKey), asked: s.set(replicationKey),
		configs: map[string]string{"cleanup.policy": "compact"},
	}})
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		log.Warn("not allowed to create an internal topic, it has to be there", "topic", name, "err", err)
		return nil
	}
	return err
}
