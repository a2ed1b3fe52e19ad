package commitlog

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"millrace/broker/internal/vfs"
)

// Names in a data directory, beside the partitions' directories. All but the boot file are Apache Kafka's.
const (
	lockFile        = ".lock"
	metaFile        = "meta.properties"
	cleanFile       = ".kafka_cleanshutdown"
	bootFile        = ".millrace_boot"
	recoveryFile    = "recovery-point-offset-checkpoint"
	replicationFile = "replication-offset-checkpoint"
	startFile       = "log-start-offset-checkpoint"
	cleanerFile     = "cleaner-offset-checkpoint"

	deleteSuffix = "-delete"
)

// DirConfig opens a data directory.
type DirConfig struct {
	Dir       string
	NodeID    int32
	ClusterID string // empty: the one the directory has, or a new one
	// Undecided keeps a new directory without a cluster id until SetClusterID: the node asks others for it.
	Undecided bool
	FS        vfs.FS // nil: the operating system
	Logger    *slog.Logger
}

// Dir is a data directory: whose it is, how it was left, and its checkpoint files. Methods may be called concurrently.
type Dir struct {
	path   string
	fs     vfs.FS
	logger *slog.Logger
	lock   io.Closer
	id     [16]byte
	clean  bool
	boot   string // of the machine, "" if it is not known
	same   bool   // the machine was not restarted since the logs were last whole

	mu          sync.Mutex
	cluster     string
	checkpoints map[string]map[TopicPartition]int64 // by file name
}

// OpenDir locks a data directory, made if missing, checks whose it is, and reads its checkpoints. Errors: ErrDirInUse,
// ErrWrongDir.
func OpenDir(cfg DirConfig) (*Dir, error) {
	d := &Dir{path: filepath.Clean(cfg.Dir), fs: cfg.FS, logger: cfg.Logger,
		checkpoints: make(map[string]map[TopicPartition]int64)}
	if d.fs == nil {
		d.fs = vfs.OS
	}
	if d.logger == nil {
		d.logger = slog.New(slog.DiscardHandler)
	}
	if err := d.makeDir(); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := d.fs.Lock(filepath.Join(d.path, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %s is locked by another process; stop that one or set log.dirs to another directory",
			ErrDirInUse, d.path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	d.lock = lock
	if err := d.open(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open data directory %s: %w", d.path, err), lock.Close())
	}
	return d, nil
}

func (d *Dir) makeDir() error {
	there, err := vfs.Exists(d.fs, d.path)
	if err != nil || there {
		return err
	}
	if err := d.fs.MkdirAll(d.path); err != nil {
		return err
	}
	return d.fs.SyncDir(filepath.Dir(d.path))
}

func (d *Dir) open(cfg DirConfig) error {
	if err := d.openMeta(cfg); err != nil {
		return err
	}
	for _, name := range [...]string{recoveryFile, replicationFile, startFile, cleanerFile} {
		offsets, err := readOffsets(d.fs, filepath.Join(d.path, name))
		if err != nil {
			return fmt.Errorf("%w; remove the file to have every log checked from its start", err)
		}
		if offsets == nil {
			offsets = make(map[TopicPartition]int64)
		}
		d.checkpoints[name] = offsets
	}
	if err := d.readBoot(); err != nil {
		return err
	}
	return d.sweep()
}

// readBoot finds out how the directory was left, and marks it as in use: the clean-shutdown marker goes, durably, before
// any log is opened.
func (d *Dir) readBoot() error {
	clean := filepath.Join(d.path, cleanFile)
	var err error
	if d.clean, err = vfs.Exists(d.fs, clean); err != nil {
		return err
	}
	if d.clean {
		if err := d.fs.Remove(clean); err != nil {
			return err
		}
		if err := d.fs.SyncDir(d.path); err != nil {
			return err
		}
	}
	if b, ok := d.fs.(vfs.Booter); ok {
		d.boot = b.BootID()
	}
	before, err := vfs.ReadFile(d.fs, filepath.Join(d.path, bootFile), 4096)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	d.same = d.boot != "" && string(before) == d.boot
	return nil
}

// Recovered says that every log has been opened: whatever a power failure left torn is repaired, so until the machine starts
// anew nothing but a last write can be torn.
func (d *Dir) Recovered() error {
	if d.same || d.boot == "" {
		return nil
	}
	return vfs.ReplaceFile(d.fs, filepath.Join(d.path, bootFile), []byte(d.boot))
}

// sweep removes directories of deleted partitions that an earlier process did not get to.
func (d *Dir) sweep() error {
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Dir && strings.HasSuffix(e.Name, deleteSuffix) {
			if err := d.fs.RemoveAll(filepath.Join(d.path, e.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// openMeta reads meta.properties, or writes it in a new directory.
func (d *Dir) openMeta(cfg DirConfig) error {
	name := filepath.Join(d.path, metaFile)
	data, err := vfs.ReadFile(d.fs, name, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return d.writeMeta(name, cfg)
	}
	if err != nil {
		return err
	}
	props := parseProperties(string(data))
	node, ok := props["node.id"]
	if !ok {
		node = props["broker.id"] // version 0
	}
	if node != strconv.Itoa(int(cfg.NodeID)) {
		return fmt.Errorf("%w: %s says node.id %q, this is node %d; set node.id to %s or log.dirs to this node's directory",
			ErrWrongDir, name, node, cfg.NodeID, node)
	}
	d.cluster = props["cluster.id"]
	if d.cluster == "" && d.writable(props) {
		d.cluster = cfg.ClusterID
		if d.cluster == "" && !cfg.Undecided {
			d.cluster = FormatID(NewID())
		}
		if d.cluster != "" {
			if err := d.SetClusterID(cfg.NodeID, d.cluster); err != nil {
				return err
			}
		}
	}
	if cfg.ClusterID != "" && d.cluster != cfg.ClusterID {
		return fmt.Errorf("%w: %s says cluster.id %q, this cluster is %q; set log.dirs to a directory of this cluster or an empty one",
			ErrWrongDir, name, d.cluster, cfg.ClusterID)
	}
	if text := props["directory.id"]; text != "" {
		if d.id, err = ParseID(text); err != nil {
			return fmt.Errorf("%s: directory.id: %w", name, err)
		}
		return nil
	}
	return d.writeMeta(name, DirConfig{NodeID: cfg.NodeID, ClusterID: d.cluster})
}

func (d *Dir) writeMeta(name string, cfg DirConfig) error {
	d.id, d.cluster = NewID(), cfg.ClusterID
	if d.cluster == "" && !cfg.Undecided {
		d.cluster = FormatID(NewID())
	}
	return d.saveMeta(name, cfg.NodeID)
}

func (d *Dir) saveMeta(name string, node int32) error {
	cluster := ""
	if d.cluster != "" {
		cluster = "cluster.id=" + d.cluster + "\n"
	}
	text := fmt.Sprintf("version=1\nnode.id=%d\n%sdirectory.id=%s\n", node, cluster, FormatID(d.id))
	return vfs.ReplaceFile(d.fs, name, []byte(text))
}

// writable reports whether a directory without a cluster id is one of ours that was undecided.
func (d *Dir) writable(props map[string]string) bool {
	id, err := ParseID(props["directory.id"])
	d.id = id
	return err == nil
}

// SetClusterID says to which cluster an undecided directory belongs from now on.
func (d *Dir) SetClusterID(node int32, cluster string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cluster = cluster
	return d.saveMeta(filepath.Join(d.path, metaFile), node)
}

// NewID is a random id (a version 4 UUID) whose text does not begin with a dash, so that it can be an argument.
func NewID() [16]byte {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if FormatID(id)[0] != '-' {
			return id
		}
	}
}

func parseProperties(text string) map[string]string {
	props := make(map[string]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			props[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return props
}

// ID is the directory.id of meta.properties.
func (d *Dir) ID() [16]byte { return d.id }

// ClusterID is the cluster.id of meta.properties.
func (d *Dir) ClusterID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cluster
}

// Clean says that the process that had the directory before closed it.
func (d *Dir) Clean() bool { return d.clean }

// Path is the directory of a partition.
func (d *Dir) Path(tp TopicPartition) string {
	return filepath.Join(d.path, tp.Topic+"-"+strconv.Itoa(int(tp.Index)))
}

// Partitions lists the partition directories.
func (d *Dir) Partitions() ([]TopicPartition, error) {
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var list []TopicPartition
	for _, e := range entries {
		i := strings.LastIndexByte(e.Name, '-')
		if !e.Dir || i <= 0 {
			continue
		}
		index, err := strconv.ParseInt(e.Name[i+1:], 10, 32)
		if err == nil && index >= 0 {
			list = append(list, TopicPartition{e.Name[:i], int32(index)})
		}
	}
	return list, nil
}

// State is what the checkpoints know about a partition's log.
func (d *Dir) State(tp TopicPartition) OpenState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return OpenState{Clean: d.clean, SameBoot: d.same,
		RecoveryPoint: d.checkpoints[recoveryFile][tp], LogStart: d.checkpoints[startFile][tp]}
}

// HighWatermark is the checkpointed high watermark of a partition.
func (d *Dir) HighWatermark(tp TopicPartition) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkpoints[replicationFile][tp]
}

// CleanerOffset is where the next compaction of a partition begins.
func (d *Dir) CleanerOffset(tp TopicPartition) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkpoints[cleanerFile][tp]
}

// Marks are the checkpointed offsets of one partition.
type Marks struct {
	RecoveryPoint int64 // end of what is synced
	HighWatermark int64
	LogStart      int64 // 0: that of the first segment
}

// Checkpoint takes in the marks of open partitions and writes the files that changed.
func (d *Dir) Checkpoint(marks map[TopicPartition]Marks) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[string]map[TopicPartition]int64{}
	for _, name := range [...]string{recoveryFile, replicationFile, startFile} {
		next[name] = maps.Clone(d.checkpoints[name])
	}
	for tp, m := range marks {
		next[recoveryFile][tp] = m.RecoveryPoint
		next[replicationFile][tp] = m.HighWatermark
		if m.LogStart > 0 {
			next[startFile][tp] = m.LogStart
		} else {
			delete(next[startFile], tp)
		}
	}
	return d.writeLocked(next)
}

// SetCleanerOffset records how far a partition is compacted.
func (d *Dir) SetCleanerOffset(tp TopicPartition, offset int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := maps.Clone(d.checkpoints[cleanerFile])
	next[tp] = offset
	return d.writeLocked(map[string]map[TopicPartition]int64{cleanerFile: next})
}

// Forget drops a partition from all checkpoints: a new log of that name must not be measured by an old one's marks.
func (d *Dir) Forget(tp TopicPartition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := make(map[string]map[TopicPartition]int64)
	for name, offsets := range d.checkpoints {
		if _, ok := offsets[tp]; ok {
			next[name] = maps.Clone(offsets)
			delete(next[name], tp)
		}
	}
	return d.writeLocked(next)
}

func (d *Dir) writeLocked(next map[string]map[TopicPartition]int64) error {
	for name, offsets := range next {
		if maps.Equal(offsets, d.checkpoints[name]) {
			continue
		}
		if err := writeOffsets(d.fs, filepath.Join(d.path, name), offsets); err != nil {
			return fmt.Errorf("write checkpoint: %w", err)
		}
		d.checkpoints[name] = offsets
	}
	return nil
}

// Remove takes a partition's directory out of the way, durably: it is renamed, and what is returned has to be removed
// some time later. "" if there is no directory.
func (d *Dir) Remove(tp TopicPartition) (renamed string, err error) {
	from := d.Path(tp)
	if there, err := vfs.Exists(d.fs, from); err != nil || !there {
		return "", err
	}
	tail := fmt.Sprintf(".%x%s", NewID(), deleteSuffix)
	name := filepath.Base(from)
	to := filepath.Join(d.path, name[:min(len(name), 255-len(tail))]+tail)
	if err := d.fs.Rename(from, to); err != nil {
		return "", fmt.Errorf("remove partition directory: %w", err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return "", fmt.Errorf("remove partition directory: %w", err)
	}
	return to, d.Forget(tp)
}

// Purge removes a directory that Remove renamed.
func (d *Dir) Purge(renamed string) error { return d.fs.RemoveAll(renamed) }

// Space is the size of the volume and what of it is free; -1 if that is not known.
func (d *Dir) Space() (total, usable int64) {
	if s, ok := d.fs.(vfs.Spacer); ok {
		if total, usable, err := s.Space(d.path); err == nil {
			return total, usable
		}
	}
	return -1, -1
}

// Close gives the directory back. With clean, which says that every log in it was closed, it leaves the mark that lets
// the next process skip recovery.
func (d *Dir) Close(clean bool) error {
	var err error
	if clean {
		err = vfs.ReplaceFile(d.fs, filepath.Join(d.path, cleanFile), []byte(`{"version":0,"brokerEpoch":-1}`))
	}
	return errors.Join(err, d.lock.Close())
}
