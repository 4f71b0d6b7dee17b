import Checkpoint
import Columnar

/// Whose commits a job stopped at because their outcome is unknown: its last checkpoint is marked, and nobody goes on from it before that is decided.
///
/// A job that started from it would commit once more what may be visible already. `millstream savepoint resolve` makes a checkpoint of it that is not marked.
enum UnknownCommits {
    /// The object's name in the checkpoint's group; it holds the failure's message.
    static let name = "commit-unknown"

    /// A mark that cannot be written leaves the failure as it is: that names the checkpoint too.
    static func mark(_ checkpoint: JobCheckpoints.Completed, _ failure: MillstreamError) {
        do throws(MillstreamError) {
            let object = try checkpoint.storage.begin(checkpoint.group + "/" + name)
            do throws(MillstreamError) {
                try Array(failure.message.utf8).withBytes { (bytes) throws(MillstreamError) in try object.write(bytes) }
                try object.commit()
            } catch {
                object.abandon()
            }
        } catch {}
    }

    static func refuse(_ checkpoint: JobCheckpoints.Completed) throws(MillstreamError) {
        let mark = checkpoint.group.isEmpty ? name : checkpoint.group + "/" + name
        guard checkpoint.storage.exists(mark) else { return }
        let place = checkpoint.location
        var message = ""
        do throws(MillstreamError) { message = String(decoding: try checkpoint.storage.read(mark), as: UTF8.self) } catch {}
        throw MillstreamError(
            .commitUnknown, "a job stopped at the checkpoint '\(place)', and nobody has decided yet about its results: \(message)",
            hint: "`millstream savepoint commits \(place)` lists them, `millstream savepoint resolve \(place)` decides about them, and says where to go on.", domain: .external)
    }
}
