"""From the distribution of the next token to text: rules, searches and the loop that generates."""
