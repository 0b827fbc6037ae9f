"""What happens to rows on their way into a network: declared with it, part of its state."""
