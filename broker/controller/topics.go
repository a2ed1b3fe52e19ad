package controller

import (
	"fmt"
	"maps"
	"slices"

	"millrace/broker/metadata"
)

// maxPartitions bounds one topic, so that a slip of the finger is an error and not a million directories.
const maxPartitions = 100_000

// createTopics decides all topics of a request. Each is taken or refused on its own; later ones see earlier ones.
func (d *decider) createTopics(im *metadata.Image, topics []NewTopic) ([]CreatedTopic, []metadata.Record) {
	twice := repeated(topics, func(t NewTopic) string { return t.Name })
	var results []CreatedTopic
	var records []metadata.Record
	taken := make(map[string]string) // names this request creates, by collision key
	for _, t := range topics {
		if twice[t.Name] {
			if !slices.ContainsFunc(results, func(r CreatedTopic) bool { return r.Name == t.Name }) {
				results = append(results, CreatedTopic{Name: t.Name, Err: refuse(metadata.ErrInvalidRequest, "Duplicate topic name.")})
			}
			continue
		}
		made, rs, err := d.createTopic(im, t, taken)
		if err != nil {
			made = CreatedTopic{Name: t.Name, Err: err}
		}
		results = append(results, made)
		records = append(records, rs...)
	}
	return results, records
}

func (d *decider) createTopic(im *metadata.Image, t NewTopic, taken map[string]string) (CreatedTopic, []metadata.Record, error) {
	var none CreatedTopic
	if t.Name == metadata.ClusterMetadataTopic {
		return none, nil, refuse(metadata.ErrInvalidRequest, "Creation of internal topic %s is prohibited.", t.Name)
	}
	if err := metadata.ValidateTopicName(t.Name); err != nil {
		return none, nil, err
	}
	if im.Topic(t.Name) != nil {
		return none, nil, refuse(metadata.ErrTopicExists, "Topic '%s' already exists.", t.Name)
	}
	other := im.Collision(t.Name)
	if other == "" {
		other = taken[metadata.CollisionKey(t.Name)]
	}
	if other != "" {
		return none, nil, refuse(metadata.ErrInvalidTopic, "Topic '%s' collides with existing topic: %s", t.Name, other)
	}
	configs, err := newTopicConfigs(t.Configs)
	if err != nil {
		return none, nil, err
	}
	assignment, err := d.assign(im, t)
	if err != nil {
		return none, nil, err
	}
	id, err := metadata.NewTopicID(d.rand)
	if err != nil {
		return none, nil, err
	}
	records := []metadata.Record{&metadata.TopicRecord{Name: t.Name, ID: id}}
	for n, replicas := range assignment {
		records = append(records, newPartition(im, id, int32(n), replicas))
	}
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		records = append(records, &metadata.ConfigRecord{Resource: metadata.TopicResource(t.Name), Name: name, Value: configs[name]})
	}
	taken[metadata.CollisionKey(t.Name)] = t.Name
	return CreatedTopic{
		Name: t.Name, ID: id, Configs: configs,
		Partitions: int32(len(assignment)), ReplicationFactor: int16(len(assignment[0])),
	}, records, nil
}

// assign returns the replicas of each partition of a new topic.
func (d *decider) assign(im *metadata.Image, t NewTopic) ([][]metadata.BrokerID, error) {
	if len(t.Assignment) > 0 {
		return manual(im, t)
	}
	live := eligible(im)
	count, replication := t.Partitions, t.ReplicationFactor
	if count == UseDefault {
		count = d.partitions
	}
	if replication == UseDefault {
		replication = d.replication
	}
	if replication < 1 {
		return nil, refuse(metadata.ErrInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	if int(replication) > len(live) {
		return nil, refuse(metadata.ErrInvalidReplicationFactor,
			"Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered.",
			replication, replication, len(live))
	}
	if count < 1 {
		return nil, refuse(metadata.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	if count > maxPartitions {
		return nil, refuse(metadata.ErrInvalidPartitions, "Number of partitions is %d, at most %d are allowed.", count, maxPartitions)
	}
	return place(live, 0, count, replication, im.TopicCount()), nil
}

func manual(im *metadata.Image, t NewTopic) ([][]metadata.BrokerID, error) {
	if t.Partitions != UseDefault || t.ReplicationFactor != UseDefault {
		return nil, refuse(metadata.ErrInvalidRequest,
			"A manual partition assignment was specified, but the number of partitions or the replication factor was not set to -1.")
	}
	assignment := make([][]metadata.BrokerID, len(t.Assignment))
	for _, a := range t.Assignment {
		if a.Partition < 0 || int(a.Partition) >= len(assignment) {
			return nil, refuse(metadata.ErrInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if assignment[a.Partition] != nil {
			return nil, refuse(metadata.ErrInvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if err := checkReplicas(im, a.Replicas, len(t.Assignment[0].Replicas)); err != nil {
			return nil, err
		}
		assignment[a.Partition] = a.Replicas
	}
	return assignment, nil
}

// deleteTopics decides all topics of a request. A topic named twice, be it by name and by id, is not deleted at all.
func (d *decider) deleteTopics(im *metadata.Image, refs []TopicRef) ([]DeletedTopic, []metadata.Record) {
	resolve := func(ref TopicRef) *metadata.Topic {
		if ref.ID.IsZero() {
			return im.Topic(ref.Name)
		}
		return im.TopicByID(ref.ID)
	}
	valid := slices.DeleteFunc(slices.Clone(refs), func(r TopicRef) bool { return (r.Name != "") == !r.ID.IsZero() })
	twice := repeated(valid, func(r TopicRef) any {
		if t := resolve(r); t != nil {
			return t.ID
		}
		return r
	})
	var results []DeletedTopic
	var records []metadata.Record
	for _, ref := range refs {
		res := DeletedTopic{Name: ref.Name, ID: ref.ID}
		t := resolve(ref)
		switch {
		case ref.Name != "" && !ref.ID.IsZero():
			res.Err = refuse(metadata.ErrInvalidRequest, "You may not specify both topic name and topic id.")
		case ref.Name == "" && ref.ID.IsZero():
			res.Err = refuse(metadata.ErrInvalidRequest, "Neither topic name nor id were specified.")
		case t == nil && ref.ID.IsZero():
			res.Err = &metadata.Error{Kind: metadata.ErrUnknownTopic}
			if twice[any(ref)] {
				res.Err = refuse(metadata.ErrInvalidRequest, "Duplicate topic name.")
			}
		case t == nil:
			res.Err = &metadata.Error{Kind: metadata.ErrUnknownTopicID}
			if twice[any(ref)] {
				res.Err = refuse(metadata.ErrInvalidRequest, "Duplicate topic id.")
			}
		default:
			res.Name, res.ID = t.Name, t.ID
			if twice[any(t.ID)] {
				res.Err = refuse(metadata.ErrInvalidRequest, "The topic is named more than once.")
			}
		}
		if res.Err != nil && slices.ContainsFunc(results, func(r DeletedTopic) bool { return r.Err != nil && r.Name == res.Name && r.ID == res.ID }) {
			continue
		}
		results = append(results, res)
		if res.Err == nil {
			records = append(records, &metadata.RemoveTopicRecord{ID: t.ID})
		}
	}
	return results, records
}

func (d *decider) createPartitions(im *metadata.Image, topics []MorePartitions) ([]TopicResult, []metadata.Record) {
	twice := repeated(topics, func(t MorePartitions) string { return t.Topic })
	var results []TopicResult
	var records []metadata.Record
	for _, t := range topics {
		if twice[t.Topic] {
			if !slices.ContainsFunc(results, func(r TopicResult) bool { return r.Topic == t.Topic }) {
				results = append(results, TopicResult{t.Topic, refuse(metadata.ErrInvalidRequest, "Duplicate topic name.")})
			}
			continue
		}
		rs, err := d.addPartitions(im, t)
		results = append(results, TopicResult{t.Topic, err})
		records = append(records, rs...)
	}
	return results, records
}

func (d *decider) addPartitions(im *metadata.Image, req MorePartitions) ([]metadata.Record, error) {
	t := im.Topic(req.Topic)
	if t == nil {
		return nil, &metadata.Error{Kind: metadata.ErrUnknownTopic}
	}
	have := int32(len(t.Partitions))
	switch {
	case req.Count == have:
		return nil, refuse(metadata.ErrInvalidPartitions, "Topic already has %d partition(s).", have)
	case req.Count < have:
		return nil, refuse(metadata.ErrInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Name, have, req.Count)
	case req.Count > maxPartitions:
		return nil, refuse(metadata.ErrInvalidPartitions, "Number of partitions is %d, at most %d are allowed.", req.Count, maxPartitions)
	}
	width := len(t.Partitions[0].Replicas)
	assignment := req.Assignment
	if assignment == nil {
		live := eligible(im)
		if width > len(live) {
			return nil, refuse(metadata.ErrInvalidReplicationFactor, "Topic %s has %d replicas, but only %d broker(s) are alive.", t.Name, width, len(live))
		}
		assignment = place(live, have, req.Count-have, int16(width), 0)
	} else if len(assignment) != int(req.Count-have) {
		return nil, refuse(metadata.ErrInvalidReplicaAssignment,
			"Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", req.Count-have, len(assignment))
	}
	var records []metadata.Record
	for i, replicas := range assignment {
		if err := checkReplicas(im, replicas, width); err != nil {
			return nil, fmt.Errorf("partition %d: %w", int(have)+i, err)
		}
		records = append(records, newPartition(im, t.ID, have+int32(i), replicas))
	}
	return records, nil
}
