package state

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"millrace/connectors"
	"millrace/offsets/connectjson"
	"millrace/offsets/topiclog"
	"millrace/runtime/internal/killpoint"
)

// A Target is the state that a connector should be in.
type Target string

// The target states.
const (
	TargetStarted Target = "STARTED"
	TargetPaused  Target = "PAUSED"
	TargetStopped Target = "STOPPED"
)

// A Connector is what the config topic says of one. It is not changed once published.
type Connector struct {
	Name   string
	Config connectors.RawConfig
	// ConfigOffset is the offset of the record that set Config: a rewritten configuration is a new one even if equal.
	ConfigOffset int64
	Target       Target
	// Tasks are the committed task configurations. TasksOffset is the offset of their commit record, -1 if there was none.
	Tasks       []connectors.RawConfig
	TasksOffset int64
	// AppliedConfig is Config as it was at the last commit.
	AppliedConfig connectors.RawConfig
	// Inconsistent: the last commit came without all of its tasks, so there are none until the next.
	Inconsistent bool
}

// A Change says what a record of the config topic did.
type Change struct {
	// Connector is the connector concerned, "" for a SessionKey and a Logger.
	Connector string
	// Restart is set when a restart was asked for.
	Restart *Restart
	// Logger and Level are set when a log level was set for the cluster.
	Logger, Level string
}

// A Restart asks for a restart of parts of a connector.
type Restart struct{ IncludeTasks, OnlyFailed bool }

// A SessionKey signs requests between workers.
type SessionKey struct {
	Key       string // base64
	Algorithm string
	Created   int64 // ms since the epoch
}

// Configs is the config topic. It is safe for concurrent use.
type Configs struct {
	log     Log
	slog    *slog.Logger
	changed func(Change)

	mu sync.RWMutex
	// live is set once the old records were read.
	live       bool
	offset     int64 // behind the last record that was read, -1 at first
	connectors map[string]*Connector
	targets    map[string]Target
	deferred   map[string]map[int]connectors.RawConfig
	session    *SessionKey
}

// OpenConfigs reads the log to its end. changed hears of each record that comes afterwards, when the state has it; it must not
// block nor write to Configs.
func OpenConfigs(ctx context.Context, open Opener, changed func(Change), log *slog.Logger) (*Configs, error) {
	c := &Configs{
		slog: log, changed: changed, offset: -1,
		connectors: make(map[string]*Connector),
		targets:    make(map[string]Target),
		deferred:   make(map[string]map[int]connectors.RawConfig),
	}
	var err error
	if c.log, err = open(ctx, c.apply); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.live = true
	c.mu.Unlock()
	return c, nil
}

// Run tails the log until ctx ends; writes need it running.
func (c *Configs) Run(ctx context.Context) error { return c.log.Run(ctx) }

// Close releases the log.
func (c *Configs) Close() { c.log.Close() }

// ReadToEnd returns when everything stored before was applied.
func (c *Configs) ReadToEnd(ctx context.Context) error { return c.log.ReadToEnd(ctx) }

// Offset is where the log goes on behind the last record that was read, -1 if there was none: what workers compare.
func (c *Configs) Offset() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.offset
}

// Names returns the connectors, sorted.
func (c *Configs) Names() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Sorted(maps.Keys(c.connectors))
}

// Connector returns a connector, nil if there is none.
func (c *Configs) Connector(name string) *Connector {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.connectors[name]
}

// SessionKey returns the current key, nil if there is none.
func (c *Configs) SessionKey() *SessionKey {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.session
}

// PutConnector stores a configuration; target is stored first if it is not empty.
func (c *Configs) PutConnector(ctx context.Context, name string, config connectors.RawConfig, target Target) error {
	var records []topiclog.Record
	if target != "" {
		records = append(records, record(targetPrefix+name, targetValue(target)))
	}
	err := c.log.Append(ctx, append(records, record(connectorPrefix+name, propertiesValue(config)))...)
	killpoint.Pass(killpoint.AfterConfig)
	return err
}

// DeleteConnector removes a connector. Its task records stay and mean nothing.
func (c *Configs) DeleteConnector(ctx context.Context, name string) error {
	return c.log.Append(ctx, record(connectorPrefix+name, nil), record(targetPrefix+name, nil))
}

// PutTarget stores a target state.
func (c *Configs) PutTarget(ctx context.Context, name string, target Target) error {
	return c.log.Append(ctx, record(targetPrefix+name, targetValue(target)))
}

// PutTasks stores the task configurations of a connector: they count once their commit record is there.
func (c *Configs) PutTasks(ctx context.Context, name string, tasks []connectors.RawConfig) error {
	var records []topiclog.Record
	for i, t := range tasks {
		records = append(records, record(taskPrefix+name+"-"+strconv.Itoa(i), propertiesValue(t)))
	}
	if err := c.log.Append(ctx, records...); err != nil {
		return err
	}
	killpoint.Pass(killpoint.AmidTasks)
	return c.log.Append(ctx, record(commitPrefix+name, encode(connectjson.Object{{Name: "tasks", Value: len(tasks)}})))
}

// PutRestart asks the workers for a restart.
func (c *Configs) PutRestart(ctx context.Context, name string, r Restart) error {
	return c.log.Append(ctx, record(restartPrefix+name, encode(connectjson.Object{
		{Name: "include-tasks", Value: r.IncludeTasks}, {Name: "only-failed", Value: r.OnlyFailed}})))
}

// PutLogger asks the workers to set a log level.
func (c *Configs) PutLogger(ctx context.Context, logger, level string) error {
	return c.log.Append(ctx, record(loggerPrefix+logger, encode(connectjson.Object{{Name: "level", Value: level}})))
}

// PutSessionKey stores a new key.
func (c *Configs) PutSessionKey(ctx context.Context, k SessionKey) error {
	return c.log.Append(ctx, record(sessionKey, encode(connectjson.Object{
		{Name: "key", Value: k.Key}, {Name: "algorithm", Value: k.Algorithm}, {Name: "creation-timestamp", Value: k.Created}})))
}

func record(key string, value []byte) topiclog.Record {
	return topiclog.Record{Key: []byte(key), Value: value}
}

func (c *Configs) apply(r topiclog.Record) {
	c.mu.Lock()
	change, err := c.applyLocked(string(r.Key), r)
	c.offset = r.Offset + 1
	live := c.live
	c.mu.Unlock()
	if err != nil {
		c.slog.Error("record of the config topic passed over", "key", string(r.Key), "offset", r.Offset, "err", err)
		return
	}
	if live && change != nil {
		c.changed(*change)
	}
}

func (c *Configs) applyLocked(key string, r topiclog.Record) (*Change, error) {
	if name, ok := strings.CutPrefix(key, targetPrefix); ok {
		return c.applyTarget(name, r.Value)
	}
	if name, ok := strings.CutPrefix(key, connectorPrefix); ok {
		return c.applyConnector(name, r)
	}
	if rest, ok := strings.CutPrefix(key, taskPrefix); ok {
		return nil, c.applyTask(rest, r.Value)
	}
	if name, ok := strings.CutPrefix(key, commitPrefix); ok {
		return c.applyCommit(name, r)
	}
	if name, ok := strings.CutPrefix(key, restartPrefix); ok {
		return applyRestart(name, r.Value)
	}
	if strings.HasPrefix(key, fencingPrefix) {
		return nil, nil // for transactions, which are not there
	}
	if key == sessionKey {
		return nil, c.applySessionKey(r.Value)
	}
	if name, ok := strings.CutPrefix(key, loggerPrefix); ok {
		return applyLogger(name, r.Value)
	}
	return nil, fmt.Errorf("unknown key")
}

func (c *Configs) applyTarget(name string, value []byte) (*Change, error) {
	target := TargetStarted
	if value != nil {
		var err error
		if target, err = parseTarget(value); err != nil {
			return nil, err
		}
	}
	if value == nil {
		delete(c.targets, name)
	} else {
		c.targets[name] = target
	}
	old := c.connectors[name]
	if old == nil || old.Target == target {
		return nil, nil
	}
	next := *old
	next.Target = target
	c.connectors[name] = &next
	return &Change{Connector: name}, nil
}

func (c *Configs) applyConnector(name string, r topiclog.Record) (*Change, error) {
	if r.Value == nil {
		delete(c.connectors, name)
		delete(c.deferred, name)
		return &Change{Connector: name}, nil
	}
	config, err := properties(r.Value)
	if err != nil {
		return nil, err
	}
	next := Connector{Name: name, Target: TargetStarted, TasksOffset: -1}
	if t, ok := c.targets[name]; ok {
		next.Target = t
	}
	if old := c.connectors[name]; old != nil {
		next = *old
	}
	next.Config, next.ConfigOffset = config, r.Offset
	c.connectors[name] = &next
	return &Change{Connector: name}, nil
}

func (c *Configs) applyTask(key string, value []byte) error {
	name, task, err := taskKey(key)
	if err != nil {
		return err
	}
	if value == nil {
		return fmt.Errorf("a task record cannot be a tombstone")
	}
	config, err := properties(value)
	if err != nil {
		return err
	}
	if c.deferred[name] == nil {
		c.deferred[name] = make(map[int]connectors.RawConfig)
	}
	c.deferred[name][task] = config
	return nil
}

func (c *Configs) applyCommit(name string, r topiclog.Record) (*Change, error) {
	old := c.connectors[name]
	if old == nil {
		return nil, nil // deleted before its tasks were committed
	}
	if r.Value == nil {
		return nil, fmt.Errorf("a commit record cannot be a tombstone")
	}
	o, err := object(r.Value)
	if err != nil {
		return nil, err
	}
	n, err := member[int64](o, "tasks")
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxTasks {
		return nil, fmt.Errorf("%d tasks", n)
	}
	next := *old
	next.TasksOffset, next.AppliedConfig = r.Offset, old.Config
	next.Tasks, next.Inconsistent = c.committed(name, old.Tasks, int(n))
	delete(c.deferred, name)
	c.connectors[name] = &next
	return &Change{Connector: name}, nil
}

// maxTasks bounds what a commit record can make us allocate.
const maxTasks = 1 << 20

// committed merges the deferred task configurations over the old ones. Compaction may have removed an older generation's
// records, so all n must be there.
func (c *Configs) committed(name string, old []connectors.RawConfig, n int) (tasks []connectors.RawConfig, inconsistent bool) {
	deferred := c.deferred[name]
	for i := range n {
		switch t, ok := deferred[i]; {
		case ok:
			tasks = append(tasks, t)
		case len(deferred) == 0 && i < len(old):
			tasks = append(tasks, old[i])
		default:
			return nil, true
		}
	}
	return tasks, false
}

func applyRestart(name string, value []byte) (*Change, error) {
	if value == nil {
		return nil, nil
	}
	o, err := object(value)
	if err != nil {
		return nil, err
	}
	// Missing members are false.
	include, _ := o["include-tasks"].(bool)
	failed, _ := o["only-failed"].(bool)
	return &Change{Connector: name, Restart: &Restart{IncludeTasks: include, OnlyFailed: failed}}, nil
}

func applyLogger(name string, value []byte) (*Change, error) {
	if value == nil {
		return nil, nil
	}
	o, err := object(value)
	if err != nil {
		return nil, err
	}
	level, err := member[string](o, "level")
	if err != nil {
		return nil, err
	}
	return &Change{Logger: name, Level: level}, nil
}

func (c *Configs) applySessionKey(value []byte) error {
	if value == nil {
		return nil
	}
	o, err := object(value)
	if err != nil {
		return err
	}
	k := &SessionKey{}
	if k.Key, err = member[string](o, "key"); err != nil {
		return err
	}
	if k.Algorithm, err = member[string](o, "algorithm"); err != nil {
		return err
	}
	if k.Created, err = member[int64](o, "creation-timestamp"); err != nil {
		return err
	}
	c.session = k
	return nil
}
