/* cmd_operate.c - hold, release, retry, dead redrive, dead purge: what is done to many batches */
#include "admin/change.h"

bool cmd_hold(struct admin_job *job)
{
	return operation_step(job, OPERATION_HOLD);
}

bool cmd_release(struct admin_job *job)
{
	return operation_step(job, OPERATION_RELEASE);
}

bool cmd_retry(struct admin_job *job)
{
	return operation_step(job, OPERATION_RETRY);
}

bool cmd_dead_redrive(struct admin_job *job)
{
	return operation_step(job, OPERATION_REDRIVE);
}

bool cmd_dead_purge(struct admin_job *job)
{
	return operation_step(job, OPERATION_PURGE);
}
