import Columnar
import Dataflow
import Exchange
import Plan

/// Puts other parts in place of those that a job is built of, so that the simulation's tests can plant faults and see that they are found.
///
/// A simulated job is asked once per part, while it is built. Nothing of it is there when a job runs on threads.
package protocol PartSubstitution: AnyObject {
    /// The operator of a node's subtask; never a sink's, whose waiting the chain looks at.
    func operation(_ made: any Operator, of node: Node, subtask: Int) -> any Operator
    /// The partitioner of one producer.
    func partitioner(_ made: any Partitioner, producer: Int) -> any Partitioner
    /// Something between the two ends of a channel; nil for nothing.
    func splice(into channel: Channel, exchange: Int, producer: Int, consumer: Int) -> ChannelSplice?
    /// What an unaligned checkpoint keeps of a subtask's channels.
    func inFlight(_ channels: [InFlightChannel]) -> [InFlightChannel]
    /// What comes again into a subtask's channels.
    func replayed(_ channels: [[Message]]) -> [[Message]]
    /// Where operators get the stores of their state from.
    func stores(_ made: any StateStores) -> any StateStores
}

extension PartSubstitution {
    package func stores(_ made: any StateStores) -> any StateStores { made }
}

/// A second channel behind a first one, and who carries messages from the one to the other.
package struct ChannelSplice {
    /// Woken when the first channel has something, and when the second one has room again.
    package let relay: any Wakeable
    /// What the consumer reads.
    package let end: Channel

    package init(relay: any Wakeable, end: Channel) {
        self.relay = relay
        self.end = end
    }
}
