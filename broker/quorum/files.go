package quorum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"
	"strings"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"millrace/broker/internal/vfs"
)

// All files are a frame around protobuf messages of raft:
//
//	magic(4 bytes) version(1 byte, 1) body CRC-32C(4 bytes, of all before it)
//
// The body of "vote" (MRQV) is a HardState; that of a snapshot (MRQS) is a Snapshot with its metadata: index, term and
// voters; that of "member" (MRQM) is a HardState whose vote is the raft id of this directory; that of "synced" (MRQR) is a HardState whose commit is an index below which entries are known to be synced.
const (
	voteMagic      = "MRQV"
	snapshotMagic  = "MRQS"
	syncedMagic    = "MRQR"
	syncedName     = "synced"
	memberMagic    = "MRQM"
	memberName     = "member"
	fileVersion    = 1
	voteName       = "vote"
	snapshotSuffix = ".snapshot"
	// maxSnapshot bounds what is read of a file that claims to be a snapshot.
	maxSnapshot = 2 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(magic string, m proto.Message) ([]byte, error) {
	b := append([]byte(magic), fileVersion)
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	if err != nil {
		return nil, fmt.Errorf("quorum: encode %s: %w", magic, err)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

func unseal(magic string, b []byte, m proto.Message) error {
	body := len(b) - 4
	switch {
	case body < len(magic)+1 || string(b[:len(magic)]) != magic:
		return fmt.Errorf("not a file of type %s", magic)
	case binary.BigEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli):
		return errors.New("its checksum does not match its bytes")
	case b[len(magic)] != fileVersion:
		return fmt.Errorf("version %d, this release reads %d", b[len(magic)], fileVersion)
	}
	return proto.Unmarshal(b[len(magic)+1:body], m)
}

// readVote returns the saved term and vote, nil if there are none.
func readVote(fsys vfs.FS, dir string) (*pb.HardState, error) {
	name := path.Join(dir, voteName)
	b, err := vfs.ReadFile(fsys, name, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	hs := new(pb.HardState)
	if err == nil {
		err = unseal(voteMagic, b, hs)
	}
	if err != nil {
		return nil, fmt.Errorf("quorum: read %s: %w; this voter may have voted and cannot take part until it is removed and added anew", name, err)
	}
	return hs, nil
}

func writeVote(fsys vfs.FS, dir string, hs *pb.HardState) error {
	b, err := seal(voteMagic, hs)
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(fsys, path.Join(dir, voteName), b)
}

// readSynced returns the end of the entries that must be in the log, 0 if nothing is known. The file is written now and
// then, so more may be there; less means that the disk lost something, which must not be taken for a torn last write.
func readSynced(fsys vfs.FS, dir string) (int64, error) {
	name := path.Join(dir, syncedName)
	b, err := vfs.ReadFile(fsys, name, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	hs := new(pb.HardState)
	if err == nil {
		err = unseal(syncedMagic, b, hs)
	}
	if err != nil {
		return 0, fmt.Errorf("quorum: read %s: %w", name, err)
	}
	return int64(hs.GetCommit()), nil
}

func writeSynced(fsys vfs.FS, dir string, end int64) error {
	b, err := seal(syncedMagic, &pb.HardState{Commit: new(uint64(end))})
	if err != nil {
		return err
	}
	if err := vfs.ReplaceFile(fsys, path.Join(dir, syncedName), b); err != nil {
		return fmt.Errorf("quorum: write %s: %w", syncedName, err)
	}
	return nil
}

// ReadMember returns the raft id that a directory was given by WriteMember, 0 if none, and whether the directory has ever
// been used.
func ReadMember(fsys vfs.FS, dir string) (id uint64, used bool, err error) {
	there, err := vfs.Exists(fsys, dir)
	if err != nil || !there {
		return 0, false, err
	}
	b, err := vfs.ReadFile(fsys, path.Join(dir, memberName), 1<<10)
	if err == nil {
		hs := new(pb.HardState)
		if err = unseal(memberMagic, b, hs); err == nil {
			return hs.GetVote(), true, nil
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, false, fmt.Errorf("quorum: read %s: %w", path.Join(dir, memberName), err)
	}
	entries, err := fsys.ReadDir(dir)
	return 0, len(entries) > 0, err
}

// WriteMember notes the raft id of a directory, which is made, before the member's first start.
func WriteMember(fsys vfs.FS, dir string, id uint64) error {
	b, err := seal(memberMagic, &pb.HardState{Vote: new(id)})
	if err != nil {
		return err
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	return vfs.ReplaceFile(fsys, path.Join(dir, memberName), b)
}

func snapshotName(index, term uint64) string {
	return fmt.Sprintf("%020d-%010d%s", index, term, snapshotSuffix)
}

// listSnapshots returns the snapshot files of dir, oldest first.
func listSnapshots(fsys vfs.FS, dir string) ([]string, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("quorum: list %s: %w", dir, err)
	}
	var names []string
	for _, e := range entries { // in name order, which is index order
		if strings.HasSuffix(e.Name, snapshotSuffix) {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// readSnapshot returns the newest snapshot, nil if there is none.
func readSnapshot(fsys vfs.FS, dir string) (*pb.Snapshot, error) {
	names, err := listSnapshots(fsys, dir)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	name := path.Join(dir, names[len(names)-1])
	b, err := vfs.ReadFile(fsys, name, maxSnapshot)
	snap := new(pb.Snapshot)
	if err == nil {
		err = unseal(snapshotMagic, b, snap)
	}
	if err != nil {
		return nil, fmt.Errorf("quorum: read snapshot %s: %w", name, err)
	}
	return snap, nil
}

// writeSnapshot makes a snapshot durable and removes the older ones.
func writeSnapshot(fsys vfs.FS, dir string, snap *pb.Snapshot) error {
	b, err := seal(snapshotMagic, snap)
	if err != nil {
		return err
	}
	name := snapshotName(snap.GetMetadata().GetIndex(), snap.GetMetadata().GetTerm())
	if err := vfs.ReplaceFile(fsys, path.Join(dir, name), b); err != nil {
		return err
	}
	names, err := listSnapshots(fsys, dir)
	if err != nil {
		return err
	}
	for _, old := range names {
		if old < name {
			if err := fsys.Remove(path.Join(dir, old)); err != nil {
				return err
			}
		}
	}
	return nil
}
